"""A user's tokens taken back: after a theft, a change of password, a farewell."""

import logging

from api.framework.endpoint import Answer, Call, endpoint
from api.schemas.requests import Revoke
from api.schemas.responses import TokensRevoked
from auth.scopes import NOTIFY
from models.inbox.rendering import timestamp
from models.revocations import revoke
from push.broker.announcer import AnnounceFailed

log = logging.getLogger(__name__)


@endpoint("POST", "/v1/tokens/revoke", scope=NOTIFY, answers={200: TokensRevoked})
def revoke_tokens(call: Call, body: Revoke) -> Answer:
    """Refuse every token of a user that was issued before now, and close the sockets that they opened.

    It holds in every process within five seconds. A token that does not say when it was issued (`iat`) is refused
    from then on; so is one of the same second, since most issuers count in whole seconds. Where the issuer's clock is
    ahead of Belfry's, revoke again after that difference: it covers the tokens that were issued within it.
    """
    with call.database.write() as session:
        revoke(session, body.user, call.now)
    try:
        call.services.announcer.revoke(body.user, call.now)
    except AnnounceFailed as error:
        log.warning("revocation_not_announced reason=%s", error)
    return Answer({"user": body.user, "revoked_before": timestamp(call.now)})
