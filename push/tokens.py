"""JSON Web Tokens: verified for the API and the push server alike, and issued for development and tests.

A deployment trusts one family of algorithms: HS256 with its own secret, or RS256 and ES256 with the keys that an
identity provider publishes (JWKS). A verifier never accepts both, so a public key can not be passed off as a secret.
"""

import time
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import jwt

from push.jwks import KeysUnavailable, PublishedKeys, UnknownKey

__all__ = ["Claims", "InvalidToken", "KeysUnavailable", "TokenVerifier", "issue", "make_verifier"]

SUB_MAX = 255
TOKEN_MAX = 8192  # a larger one is refused unread; proxies refuse such headers too
LIFETIME_MAX = timedelta(days=400)  # so long is a revocation remembered
CLOCK_LEEWAY = 5  # seconds by which an issuer's clock may be ahead of ours (`iat`, `nbf`); `exp` has none


class InvalidToken(Exception):
    """This token is not good. The message says why, for the log alone, and holds nothing of the token."""


class _Unusable(Exception):
    """A claim of a well-signed token is of no use; the message says which."""


@dataclass(frozen=True)
class Claims:
    """What a verified token says. `issued_at` is None when it does not say."""

    sub: str
    scopes: frozenset[str]
    expires_at: datetime
    issued_at: datetime | None

    def issued_before(self, moment: datetime) -> bool:
        """Whether a revocation at this moment covers the token; one that does not say when it was issued, any does.

        Most issuers say it in whole seconds, so a token of that very second is covered as well.
        """
        return self.issued_at is None or self.issued_at <= moment


class KeySource(Protocol):
    algorithms: tuple[str, ...]

    def key_for(self, token: str) -> Any:
        """The key that must have signed this token. Raises `KeysUnavailable`, `UnknownKey` or a PyJWT error."""


class SharedSecret:
    algorithms: tuple[str, ...] = ("HS256",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def key_for(self, token: str) -> str:  # noqa: ARG002  (one secret, whatever the token says)
        return self._secret


class TokenVerifier:
    """Turns a token into its claims. Safe among threads and greenlets."""

    def __init__(self, keys: KeySource, audience: str | None, issuer: str | None) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer

    def verify(self, token: str) -> Claims:
        """The claims of a good token. Raises `InvalidToken`, or `KeysUnavailable` when nobody can say at present."""
        if not isinstance(token, str) or len(token) > TOKEN_MAX:
            raise InvalidToken("not a string of a token's length")
        try:
            return _claims_from(self._decode(token))
        except (UnknownKey, _Unusable) as error:
            raise InvalidToken(str(error)) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError) as error:
            raise InvalidToken(type(error).__name__) from None  # their messages may repeat what the token says

    def _decode(self, token: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            self._keys.key_for(token),
            algorithms=self._keys.algorithms,
            audience=self._audience,
            issuer=self._issuer,
            leeway=CLOCK_LEEWAY,
            options={
                "require": ["sub", "exp", "scope"],
                "enforce_minimum_key_length": True,
                "verify_aud": self._audience is not None,
            },
        )


def make_verifier(
    *,
    secret: str | None = None,
    jwks_url: str | None = None,
    audience: str | None = None,
    issuer: str | None = None,
) -> TokenVerifier:
    """A verifier by exactly one of a shared secret and the address of published keys (fetched when first needed)."""
    if secret and not jwks_url:
        return TokenVerifier(SharedSecret(secret), audience, issuer)
    if jwks_url and not secret:
        return TokenVerifier(PublishedKeys(jwks_url), audience, issuer)
    raise ValueError("a verifier needs exactly one of a secret and a JWKS address")


def issue(
    secret: str,
    sub: str,
    scopes: Iterable[str],
    ttl_seconds: float,
    *,
    audience: str | None = None,
    issuer: str | None = None,
) -> str:
    """An HS256 token for `sub`, good from now on for `ttl_seconds`."""
    now = time.time()
    claims = {"sub": sub, "scope": " ".join(scopes), "iat": int(now), "exp": int(now + ttl_seconds)}
    named = {"aud": audience, "iss": issuer}
    return jwt.encode(claims | {name: value for name, value in named.items() if value}, secret, algorithm="HS256")


def _claims_from(claims: dict[str, Any]) -> Claims:
    expires_at, now = _instant(claims["exp"]), datetime.now(UTC)
    if expires_at <= now:
        raise _Unusable("expired")
    if expires_at > now + LIFETIME_MAX:
        raise _Unusable(f"exp is more than {LIFETIME_MAX.days} days ahead")
    if not _is_id(claims["sub"]):
        raise _Unusable("sub is not a usable id")
    issued_at = _instant(claims["iat"]) if "iat" in claims else None
    return Claims(claims["sub"], _scopes(claims["scope"]), expires_at, issued_at)


def _instant(seconds: object) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise _Unusable("a time is not a number")
    return datetime.fromtimestamp(seconds, UTC)


def _scopes(scope: object) -> frozenset[str]:
    words = scope.split() if isinstance(scope, str) else scope
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _Unusable("scope is neither a string nor a list of strings")
    return frozenset(words)


def _is_id(sub: str) -> bool:
    """1–255 characters; control characters and lone surrogates belong to no id."""
    return 0 < len(sub) <= SUB_MAX and not any(unicodedata.category(character) in ("Cc", "Cs") for character in sub)
