"""`python -m api.tokens alice [--scope notify] [--ttl 3600]` prints a token for development and tests."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from auth.scopes import INBOX, NOTIFY
from auth.tokens import InvalidToken, issue, make_verifier
from lib.token_keys import JWT_SECRET_MIN_BYTES

EMBEDDED = Path("var/embedded.env")


class NoToken(Exception):
    """No token can be issued; the message says why and what to do."""


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Print a token. Returns the exit code: 2 if there is none; stderr says why."""
    args = _parser().parse_args(arguments)
    try:
        print(make_token(args.sub, args.scope or [INBOX], args.ttl, environ))
    except NoToken as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 0


def make_token(sub: str, scopes: Sequence[str], ttl_seconds: int, environ: Mapping[str, str]) -> str:
    """Make a token that the API and the push server of this environment accept. Raises `NoToken`."""
    if environ.get("JWT_JWKS_URL"):
        raise NoToken("JWT_JWKS_URL is set: tokens come from that identity provider, they cannot be made here.")
    if ttl_seconds <= 0:
        raise NoToken("--ttl must be a positive number of seconds.")
    secret = environ.get("JWT_SECRET") or _embedded_secret()
    if len(secret.encode(errors="replace")) < JWT_SECRET_MIN_BYTES:
        raise NoToken(
            f"JWT_SECRET is shorter than {JWT_SECRET_MIN_BYTES} bytes; no server accepts tokens made with it."
        )
    audience, issuer = environ.get("JWT_AUDIENCE") or None, environ.get("JWT_ISSUER") or None
    token = issue(secret, sub, scopes, ttl_seconds, audience=audience, issuer=issuer)
    try:
        make_verifier(secret=secret, audience=audience, issuer=issuer).verify(token)
    except InvalidToken as refusal:
        raise NoToken(f"A token for {sub!r} would not be valid: {refusal}.") from None
    return token


def _embedded_secret() -> str:
    if not EMBEDDED.is_file():
        raise NoToken(f"JWT_SECRET is not set, and there is no {EMBEDDED} of a `make up` here.")
    for line in EMBEDDED.read_text().splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "JWT_SECRET":
            print(f"JWT_SECRET is taken from {EMBEDDED}", file=sys.stderr)
            return value.strip().strip("\"'")
    raise NoToken(f"JWT_SECRET is not set, and {EMBEDDED} does not hold it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api.tokens", description="Print a token for one user.")
    parser.add_argument("sub", help="who the token is for")
    parser.add_argument("--scope", action="append", choices=(INBOX, NOTIFY), help="may be repeated; default: inbox")
    parser.add_argument("--ttl", type=int, default=3600, metavar="SECONDS", help="default: 3600")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
