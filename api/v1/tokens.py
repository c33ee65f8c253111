"""Revoking the tokens of a user, such as after a theft or a change of password."""

import logging

from api.framework.endpoint import RequestContext, Response, endpoint
from api.schemas.requests import Revoke
from api.schemas.responses import TokensRevoked
from auth.scopes import NOTIFY
from models.inbox.rendering import timestamp
from models.revocations import revoke
from push.broker.announcer import AnnounceFailed

log = logging.getLogger(__name__)


@endpoint("POST", "/v1/tokens/revoke", scope=NOTIFY, responses={200: TokensRevoked})
def revoke_tokens(context: RequestContext, body: Revoke) -> Response:
    """Revoke every token of a user that was issued before now, and close the sockets that were opened with them.

    It takes effect in every process within five seconds. A token without `iat` is revoked too, and so is one issued in
    the same second, since most issuers count in whole seconds. If the issuer's clock is ahead of Belfry's, repeat the
    request after that difference, to cover the tokens that were issued within it.
    """
    with context.database.transaction() as conn:
        revoke(conn, body.user, context.now)
    try:
        context.services.announcer.revoke(body.user, context.now)
    except AnnounceFailed as error:
        log.warning("revocation_not_announced reason=%s", error)
    return Response({"user": body.user, "revoked_before": timestamp(context.now)})
