"""Who is calling, and whether they may."""

import logging

from api.problems import FORBIDDEN, UNAUTHORIZED, Problem
from push.tokens import Claims, InvalidToken, TokenVerifier

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="belfry"'}

log = logging.getLogger(__name__)


def authenticate(verifier: TokenVerifier, authorization: str | None) -> Claims:
    """The claims of the bearer token. Raises `Problem`, the same for every token that is not good."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise Problem(UNAUTHORIZED, headers=CHALLENGE)
    try:
        return verifier.verify(token.strip())
    except InvalidToken as refusal:
        log.info("token_refused reason=%s", refusal)
        raise Problem(UNAUTHORIZED, headers=CHALLENGE) from None


def demand_scope(caller: Claims, scope: str) -> None:
    if scope not in caller.scopes:
        raise Problem(FORBIDDEN, f"The token lacks the scope {scope}.")
