"""JSON Web Tokens: verified for the API and the push server alike, and issued for development and tests.

A deployment trusts one family of algorithms: HS256 with its own secret, or RS256 and ES256 with the keys that an
identity provider publishes (JWKS). A verifier never accepts both, so a public key can not be passed off as a secret.
"""

import time
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import jwt

from auth.jwks import KeysUnavailable, PublishedKeys, UnknownKey
from lib.token_keys import TOKEN_LIFETIME_MAX

__all__ = ["Claims", "InvalidToken", "KeysUnavailable", "TokenVerifier", "issue", "make_verifier", "verifier_for"]

SUB_MAX = 255
TOKEN_MAX = 8192  # a larger one is refused unread; proxies refuse such headers too
LEEWAY_SECONDS = 30  # by which an issuer's clock may be ahead of ours (`iat`, `nbf`); `exp` has no leeway


class InvalidToken(Exception):
    """The token is not valid. The message says why, for the log only, and quotes nothing of the token."""


class _InvalidClaim(Exception):
    """A claim of a correctly signed token is not valid; the message says which."""


@dataclass(frozen=True)
class Claims:
    """The claims of a verified token. `issued_at` is None if it has no `iat`."""

    sub: str
    scopes: frozenset[str]
    expires_at: datetime
    issued_at: datetime | None

    def issued_before(self, moment: datetime) -> bool:
        """Whether a revocation at this time covers the token. Every revocation covers a token without `iat`.

        Most issuers round `iat` to seconds, so a token of the same second is covered too. No leeway is applied: it
        would refuse new tokens of an issuer whose clock is right. If an issuer's clock is ahead, tokens issued within
        that difference before a revocation stay valid; revoke again after it to cover them.
        """
        return self.issued_at is None or self.issued_at <= moment


class KeySource(Protocol):
    algorithms: tuple[str, ...]

    def keys_for(self, token: str) -> Sequence[Any]:
        """The keys of which one must have signed this token: at least one, the most likely first.

        Raises `KeysUnavailable`, `UnknownKey` or a PyJWT error.
        """


class SharedSecrets:
    """The current secret and, while secrets are rotated, the previous one."""

    algorithms: tuple[str, ...] = ("HS256",)

    def __init__(self, secret: str, previous: str | None = None) -> None:
        self._secrets = (secret,) if previous is None else (secret, previous)

    def keys_for(self, token: str) -> Sequence[str]:  # noqa: ARG002  (the same for every token)
        return self._secrets


class TokenVerifier:
    """Verifies tokens. Safe among threads and greenlets."""

    def __init__(
        self, keys: KeySource, audience: str | None, issuer: str | None, leeway_seconds: int = LEEWAY_SECONDS
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._leeway = timedelta(seconds=leeway_seconds)

    def verify(self, token: str) -> Claims:
        """The claims of a valid token. Raises `InvalidToken`, or `KeysUnavailable` if it cannot be verified now."""
        if not isinstance(token, str) or len(token) > TOKEN_MAX:
            raise InvalidToken("not a string, or too long for a token")
        try:
            return _claims_from(self._decode(token), self._leeway)
        except (UnknownKey, _InvalidClaim) as error:
            raise InvalidToken(str(error)) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError) as error:
            raise InvalidToken(type(error).__name__) from None  # their messages may quote the token

    def _decode(self, token: str) -> dict[str, Any]:
        *others, last = self._keys.keys_for(token)
        for key in others:
            with suppress(jwt.InvalidSignatureError):
                return self._decode_with(key, token)
        return self._decode_with(last, token)

    def _decode_with(self, key: Any, token: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=self._keys.algorithms,
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={
                "require": ["sub", "exp", "scope"],
                "enforce_minimum_key_length": True,
                "verify_aud": self._audience is not None,
            },
        )


def make_verifier(
    *,
    secret: str | None = None,
    previous_secret: str | None = None,
    jwks_url: str | None = None,
    audience: str | None = None,
    issuer: str | None = None,
    leeway_seconds: int = LEEWAY_SECONDS,
) -> TokenVerifier:
    """A verifier with either a shared secret or the URL of published keys, which are fetched at the first token.

    `previous_secret` is the one that `secret` replaces: tokens signed with it stay valid until they expire.
    """
    if secret and not jwks_url:
        return TokenVerifier(SharedSecrets(secret, previous_secret), audience, issuer, leeway_seconds)
    if jwks_url and not secret:
        return TokenVerifier(PublishedKeys(jwks_url), audience, issuer, leeway_seconds)
    raise ValueError("a verifier needs exactly one of a secret and a JWKS URL")


class TokenSettings(Protocol):
    """The settings that decide which tokens are valid."""

    @property
    def jwt_secret(self) -> str | None: ...
    @property
    def jwt_secret_previous(self) -> str | None: ...
    @property
    def jwt_jwks_url(self) -> str | None: ...
    @property
    def jwt_audience(self) -> str | None: ...
    @property
    def jwt_issuer(self) -> str | None: ...
    @property
    def jwt_leeway_seconds(self) -> int: ...


def verifier_for(settings: TokenSettings) -> TokenVerifier:
    """The verifier that the API and the push server share."""
    return make_verifier(
        secret=settings.jwt_secret,
        previous_secret=settings.jwt_secret_previous,
        jwks_url=settings.jwt_jwks_url,
        audience=settings.jwt_audience,
        issuer=settings.jwt_issuer,
        leeway_seconds=settings.jwt_leeway_seconds,
    )


def issue(
    secret: str,
    sub: str,
    scopes: Iterable[str],
    ttl_seconds: float,
    *,
    audience: str | None = None,
    issuer: str | None = None,
) -> str:
    """An HS256 token for `sub`, valid from now on for `ttl_seconds`."""
    now = time.time()
    claims = {"sub": sub, "scope": " ".join(scopes), "iat": int(now), "exp": int(now + ttl_seconds)}
    optional = {"aud": audience, "iss": issuer}
    return jwt.encode(claims | {name: value for name, value in optional.items() if value}, secret, algorithm="HS256")


def _claims_from(claims: dict[str, Any], leeway: timedelta) -> Claims:
    expires_at, now = _instant(claims["exp"]), datetime.now(UTC)
    if expires_at <= now:
        raise _InvalidClaim("expired")
    if expires_at > now + TOKEN_LIFETIME_MAX + leeway:
        raise _InvalidClaim(f"exp is more than {TOKEN_LIFETIME_MAX.days} days ahead")
    if not _is_id(claims["sub"]):
        raise _InvalidClaim("sub is not a valid id")
    issued_at = _instant(claims["iat"]) if "iat" in claims else None
    return Claims(claims["sub"], _scopes(claims["scope"]), expires_at, issued_at)


def _instant(seconds: object) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise _InvalidClaim("a time is not a number")
    return datetime.fromtimestamp(seconds, UTC)


def _scopes(scope: object) -> frozenset[str]:
    words = scope.split() if isinstance(scope, str) else scope
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _InvalidClaim("scope is neither a string nor a list of strings")
    return frozenset(words)


def _is_id(sub: str) -> bool:
    """Whether it has 1–255 characters, without control characters and lone surrogates."""
    return 0 < len(sub) <= SUB_MAX and not any(unicodedata.category(character) in ("Cc", "Cs") for character in sub)
