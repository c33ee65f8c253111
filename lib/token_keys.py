"""Check the keys that verify tokens: shared secrets, or keys of an identity provider. Limit the life of tokens."""

from datetime import timedelta
from urllib.parse import urlsplit

JWT_SECRET_MIN_BYTES = 32  # RFC 7518 §3.2: an HS256 key must be at least as long as its hash
TOKEN_LIFETIME_MAX = timedelta(days=400)  # revocations are kept for longer
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def token_problems(secret: str | None, previous: str | None, jwks_url: str | None) -> list[str]:
    """The problems with JWT_SECRET, JWT_SECRET_PREVIOUS and JWT_JWKS_URL."""
    if secret and jwks_url:
        return ["JWT_SECRET and JWT_JWKS_URL are both set; set one: a deployment trusts one family of algorithms"]
    if jwks_url:
        return _published_keys_problems(jwks_url, previous)
    if not secret:
        return ["JWT_SECRET is not set; set a random one, such as the output of: openssl rand -base64 32"]
    return [
        f"{name} is shorter than {JWT_SECRET_MIN_BYTES} bytes; set one such as: openssl rand -base64 32"
        for name, key in {"JWT_SECRET": secret, "JWT_SECRET_PREVIOUS": previous}.items()
        if key and len(key.encode(errors="replace")) < JWT_SECRET_MIN_BYTES
    ]


def _published_keys_problems(url: str, previous: str | None) -> list[str]:
    problems = [] if _is_keys_address(url) else ["JWT_JWKS_URL is not a usable URL; set an https:// address"]
    if previous:
        problems.append("JWT_SECRET_PREVIOUS has no effect with JWT_JWKS_URL; set one of them")
    return problems


def _is_keys_address(url: str) -> bool:
    """Whether the URL is safe to load keys from: HTTPS, a file, or HTTP on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme == "file":
        return bool(parts.path.strip("/"))
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
