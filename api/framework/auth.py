"""Who is calling, and whether they may."""

import logging
import time
from typing import Protocol

from api.framework.problems import FORBIDDEN, UNAUTHORIZED, Problem
from auth.tokens import Claims, InvalidToken, TokenVerifier

KNOWN_MAX = 4_096  # tokens; of a few hundred bytes each, eight thousand at most
KNOWN_SECONDS = 60.0  # a key that its owner withdraws is trusted for so long
CHALLENGE = 'Bearer realm="belfry"'  # the value of WWW-Authenticate

log = logging.getLogger(__name__)


class Verifier(Protocol):
    def verify(self, token: str) -> Claims:
        """The claims of a good token. Raises `InvalidToken`, or `KeysUnavailable`."""


class Remembering:
    """Verifies a token once, then knows it for a minute, never beyond its expiry: clients send it again and again."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self._known: dict[str, tuple[Claims, float]] = {}

    def verify(self, token: str) -> Claims:
        now = time.time()
        claims, good_until = self._known.get(token, (None, 0.0))
        if claims is None or now >= good_until:
            self._known.pop(token, None)
            claims = self._verifier.verify(token)
            self._remember(token, claims, min(now + KNOWN_SECONDS, claims.expires_at.timestamp()))
        return claims

    def _remember(self, token: str, claims: Claims, good_until: float) -> None:
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[token] = claims, good_until


class Revoked(Protocol):
    def covers(self, claims: Claims) -> bool:
        """Whether this token was taken back."""


def authenticate(verifier: Verifier, revoked: Revoked, authorization: str | None) -> Claims:
    """The claims of the bearer token. Raises `Problem`, the same for every token that is not good."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise Problem(UNAUTHORIZED, headers={"WWW-Authenticate": CHALLENGE})
    try:
        claims = verifier.verify(token.strip())
        if revoked.covers(claims):
            raise InvalidToken("revoked")
    except InvalidToken as refusal:
        log.info("token_refused reason=%s", refusal)
        raise Problem(UNAUTHORIZED, headers={"WWW-Authenticate": CHALLENGE}) from None
    return claims


def demand_scope(caller: Claims, scope: str) -> None:
    if scope not in caller.scopes:
        raise Problem(FORBIDDEN, f"The token lacks the scope {scope}.")
