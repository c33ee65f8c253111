"""Authentication by bearer token, and authorization by scope."""

import logging
import time
from typing import Protocol

from api.framework.problems import FORBIDDEN, UNAUTHORIZED, Problem
from auth.tokens import Claims, InvalidToken, TokenVerifier

CACHE_MAX = 4_096  # tokens; most have a few hundred bytes, none more than 8,192
CACHE_SECONDS = 60.0  # a token stays valid this long after its issuer withdraws the key
CHALLENGE = 'Bearer realm="belfry"'  # the value of WWW-Authenticate

log = logging.getLogger(__name__)


class Verifier(Protocol):
    def verify(self, token: str) -> Claims:
        """Return the claims of a valid token. Raises `InvalidToken` or `KeysUnavailable`."""


class CachedVerifier:
    """Verifies a token once a minute at most, because clients send the same one again and again."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self._cache: dict[str, tuple[Claims, float]] = {}

    def verify(self, token: str) -> Claims:
        now = time.time()
        claims, good_until = self._cache.get(token, (None, 0.0))
        if claims is None or now >= good_until:
            self._cache.pop(token, None)
            claims = self._verifier.verify(token)
            self._add(token, claims, min(now + CACHE_SECONDS, claims.expires_at.timestamp()))
        return claims

    def _add(self, token: str, claims: Claims, good_until: float) -> None:
        if len(self._cache) >= CACHE_MAX:
            self._cache.clear()
        self._cache[token] = claims, good_until


class Revoked(Protocol):
    def covers(self, claims: Claims) -> bool:
        """Whether this token is revoked."""


def authenticate(verifier: Verifier, revoked: Revoked, authorization: str | None) -> Claims:
    """Return the claims of the bearer token. Raises the same `Problem` for every token that is not valid."""
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
    """Raises `Problem` if the token lacks this scope."""
    if scope not in caller.scopes:
        raise Problem(FORBIDDEN, f"The token lacks the scope {scope}.")
