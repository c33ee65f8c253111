"""Tokens signed with keys that an identity provider publishes, served over real HTTP."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from auth import jwks
from auth.tokens import InvalidToken, KeysUnavailable, make_verifier

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


class Provider(ThreadingHTTPServer):
    """An identity provider that publishes keys, counts who asks, and can be broken."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.keys: list[dict[str, Any]] = []
        self.status = 200
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/keys"

    def publish(self, kid: str, public: Any, **more: str) -> None:
        algorithm: Any = RSAAlgorithm if isinstance(public, rsa.RSAPublicKey) else ECAlgorithm
        self.keys.append(algorithm.to_jwk(public, as_dict=True) | {"kid": kid, "use": "sig"} | more)


class _Answer(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": self.server.keys}).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    server.publish("r1", RSA_KEY.public_key())
    server.publish("e1", EC_KEY.public_key())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def token(key: Any, algorithm: str, kid: str | None, **changes: Any) -> str:
    claims = {"sub": "bob", "exp": int(time.time()) + 60, "scope": "inbox"} | changes
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def test_rs256_and_es256_tokens_of_published_keys_are_accepted_with_one_fetch(provider: Provider) -> None:
    verifier = make_verifier(jwks_url=provider.url)
    assert verifier.verify(token(RSA_KEY, "RS256", "r1")).sub == "bob"
    assert verifier.verify(token(EC_KEY, "ES256", "e1")).sub == "bob"
    assert provider.asked == 1


def test_a_key_file_serves_as_well_as_an_address(provider: Provider, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": provider.keys}))
    assert make_verifier(jwks_url=path.as_uri()).verify(token(EC_KEY, "ES256", "e1")).sub == "bob"


def test_forged_tokens_are_refused(provider: Provider) -> None:
    verifier = make_verifier(jwks_url=provider.url)
    public_pem = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hmac = jwt.get_algorithm_by_name("HS256")
    signing_input = token("s" * 32, "HS256", "r1").rpartition(".")[0]
    confused = f"{signing_input}.{jwt.utils.base64url_encode(hmac.sign(signing_input.encode(), public_pem)).decode()}"
    for forged in (
        confused,
        token("", "none", "r1"),
        token(OTHER_RSA_KEY, "RS256", "r1"),
        token(RSA_KEY, "RS512", "r1"),
        token(RSA_KEY, "PS256", "r1"),
        token(RSA_KEY, "RS256", "e1"),
        token(RSA_KEY, "RS256", None),
        token(RSA_KEY, "RS256", "r1", exp=int(time.time()) - 1),
    ):
        with pytest.raises(InvalidToken):
            verifier.verify(forged)


def test_a_published_symmetric_or_encryption_key_verifies_nothing(provider: Provider) -> None:
    secret = jwt.utils.base64url_encode(b"s" * 32).decode()
    provider.keys.append({"kty": "oct", "kid": "s1", "k": secret})
    provider.publish("enc", OTHER_RSA_KEY.public_key(), use="enc")
    verifier = make_verifier(jwks_url=provider.url)
    for forged in (token("s" * 32, "HS256", "s1"), token(OTHER_RSA_KEY, "RS256", "enc")):
        with pytest.raises(InvalidToken):
            verifier.verify(forged)


def test_made_up_key_ids_do_not_hammer_the_provider(provider: Provider) -> None:
    verifier = make_verifier(jwks_url=provider.url)
    for number in range(50):
        with pytest.raises(InvalidToken):
            verifier.verify(token(RSA_KEY, "RS256", f"made-up-{number}"))
    assert provider.asked == 1


def test_without_keys_nobody_can_say(provider: Provider) -> None:
    provider.status = 500
    verifier = make_verifier(jwks_url=provider.url)
    started = time.monotonic()
    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            verifier.verify(token(RSA_KEY, "RS256", "r1"))
    assert provider.asked == 1
    assert time.monotonic() - started < jwks.FETCH_TIMEOUT


def test_a_refused_connection_is_the_same_as_an_error(free_local_port: int) -> None:
    with pytest.raises(KeysUnavailable):
        make_verifier(jwks_url=f"http://127.0.0.1:{free_local_port}/").verify(token(RSA_KEY, "RS256", "r1"))


def test_keys_at_hand_keep_working_while_the_provider_is_away(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = make_verifier(jwks_url=provider.url)
    verifier.verify(token(RSA_KEY, "RS256", "r1"))
    monkeypatch.setattr(jwks, "MAX_AGE_SECONDS", 0)
    monkeypatch.setattr(jwks, "RETRY_SECONDS", 0)
    provider.status = 503
    assert verifier.verify(token(RSA_KEY, "RS256", "r1")).sub == "bob"
    assert provider.asked == 2
    with pytest.raises(KeysUnavailable):
        verifier.verify(token(EC_KEY, "ES256", "published-meanwhile"))


def test_a_new_key_is_found_and_a_withdrawn_one_refused(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = make_verifier(jwks_url=provider.url)
    verifier.verify(token(RSA_KEY, "RS256", "r1"))
    monkeypatch.setattr(jwks, "RETRY_SECONDS", 0)
    provider.keys.clear()
    provider.publish("r2", OTHER_RSA_KEY.public_key())
    assert verifier.verify(token(OTHER_RSA_KEY, "RS256", "r2")).sub == "bob"
    with pytest.raises(InvalidToken):
        verifier.verify(token(RSA_KEY, "RS256", "r1"))


@pytest.fixture
def free_local_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
