"""Attacks with tokens: every one that is not valid gets the same response, and none is ever repeated."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dev.processes import command_line
from tests.api.running import SECRET, Api, answered, problem, running_api

NOW = int(time.time())
AUDIENCE, ISSUER = "belfry", "https://id.example"
CLAIMS: dict[str, Any] = {"sub": "alice", "scope": "inbox notify", "exp": NOW + 3600, "iat": NOW - 10}


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def sealed(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """An HMAC token with any header; PyJWT would refuse to make it."""
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{b64(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


@pytest.fixture(scope="module")
def identity_provider() -> tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]:
    return rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def strict(
    identity_provider: tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    """An API that trusts an identity provider's keys, for one audience and issuer, and logs all it can."""
    folder = tmp_path_factory.mktemp("strict")
    keys = folder / "keys.json"
    published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(identity_provider[0].public_key()))
    keys.write_text(json.dumps({"keys": [{**published, "kid": "one", "use": "sig", "alg": "RS256"}]}))
    with running_api(
        f"sqlite:///{folder}/belfry.sqlite",
        folder,
        JWT_SECRET="",
        JWT_JWKS_URL=keys.as_uri(),
        JWT_AUDIENCE=AUDIENCE,
        JWT_ISSUER=ISSUER,
        LOG_LEVEL="DEBUG",
    ) as running:
        yield running


def provided(key: Any, algorithm: str = "RS256", kid: str | None = "one", **changes: Any) -> str:
    claims = {**CLAIMS, "aud": AUDIENCE, "iss": ISSUER, **changes}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm=algorithm, headers=headers)


def faulty_for_a_provider(rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    claims = {**CLAIMS, "aud": AUDIENCE, "iss": ISSUER}
    public = rsa_key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    hs256 = {"typ": "JWT", "alg": "HS256", "kid": "one"}
    good = provided(rsa_key)
    head, payload, signature = good.split(".")
    unsigned = b64(json.dumps({"alg": "none", "kid": "one"}).encode())
    critical = jwt.encode(claims, rsa_key, algorithm="RS256", headers={"kid": "one", "crit": ["x"], "x": 1})
    return {
        "alg none": f"{unsigned}.{payload}.",
        "alg none with a signature": f"{unsigned}.{payload}.{signature}",
        "no signature": f"{head}.{payload}.",
        "the public key as a secret": sealed(hs256, claims, pem),
        "the public key's bytes as a secret": sealed(hs256, claims, der),
        "an empty secret": sealed(hs256, claims, b""),
        "another's key under its id": provided(rsa.generate_private_key(65537, 2048)),
        "another algorithm's key": provided(ec_key, "ES256"),
        "an id that is a path": provided(rsa_key, kid="../../dev/null"),
        "an unknown key": provided(rsa_key, kid="two"),
        "no key named": provided(rsa_key, kid=None),
        "another audience": provided(rsa_key, aud="another"),
        "no audience": provided(rsa_key, aud=None),
        "another issuer": provided(rsa_key, iss="https://evil.example"),
        "no issuer": provided(rsa_key, iss=None),
        "no expiry": provided(rsa_key, exp=None),
        "expired": provided(rsa_key, exp=NOW - 60),
        "not yet valid": provided(rsa_key, nbf=NOW + 3600),
        "issued in the future": provided(rsa_key, iat=NOW + 3600),
        "an unknown critical header": critical,
        "no subject": provided(rsa_key, sub=None),
        "no scope": provided(rsa_key, scope=None),
    }


def test_whatever_is_wrong_with_a_token_of_a_provider_the_answer_is_one(
    strict: Api, identity_provider: tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]
) -> None:
    good = {"Authorization": f"Bearer {provided(identity_provider[0])}"}
    answered(strict.http.get("/v1/inbox/summary", headers=good), 200)
    expect_one_answer(strict, faulty_for_a_provider(*identity_provider))


def test_whatever_is_wrong_with_a_token_of_a_shared_secret_the_answer_is_one(api: Api) -> None:
    hs256, secret = {"typ": "JWT", "alg": "HS256"}, SECRET.encode()
    answered(
        api.http.get("/v1/inbox/summary", headers={"Authorization": f"Bearer {sealed(hs256, CLAIMS, secret)}"}), 200
    )
    faulty = {
        "not yet valid": sealed(hs256, CLAIMS | {"nbf": NOW + 3600}, secret),
        "no expiry": sealed(hs256, {"sub": "alice", "scope": "inbox"}, secret),
        "expired": sealed(hs256, CLAIMS | {"exp": NOW - 60}, secret),
        "an unknown critical header": sealed(hs256 | {"crit": ["x"], "x": 1}, CLAIMS, secret),
        "another hash": jwt.encode(CLAIMS, SECRET * 2, algorithm="HS512"),
        "a key of its own": jwt.encode(CLAIMS, rsa.generate_private_key(65537, 2048), algorithm="RS256"),
        "another letter for its algorithm": sealed(hs256 | {"alg": "hs256"}, CLAIMS, secret),
        "a secret of nothing": sealed(hs256, CLAIMS, b""),
    }
    expect_one_answer(api, faulty)


def expect_one_answer(api: Api, faulty: dict[str, str]) -> None:
    """All of these are answered with the same bytes and headers as a request without a token."""
    nothing = api.http.get("/v1/inbox/summary")
    expected = (nothing.text, {name: value for name, value in nothing.headers.items() if name != "date"})
    for case, token in faulty.items():
        answer = api.http.get("/v1/inbox/summary", headers={"Authorization": f"Bearer {token}"})
        problem(answer, 401, "unauthorized")
        found = {name: value for name, value in answer.headers.items() if name != "date"}
        assert (answer.text, found) == expected, case
        assert token.split(".")[1] not in api.process.output(), case


def test_a_token_is_never_repeated_neither_by_an_answer_nor_in_the_log_nor_by_the_process_list(
    strict: Api, identity_provider: tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]
) -> None:
    token = provided(identity_provider[0])
    head, payload, signature = token.split(".")
    good = {"Authorization": f"Bearer {token}"}
    responses = [
        strict.http.get(f"/v1/inbox?token={token}", headers=good).content,
        strict.http.get(f"/v1/inbox/summary?token={token}").content,
        strict.http.get(f"/v1/{token}", headers=good).content,
        strict.http.get("/v1/inbox", params={"cursor": token}, headers=good).content,
        strict.http.get("/v1/inbox", headers={"Authorization": f"Bearer {token}x"}).content,
        strict.http.post("/v1/messages", json={"to": token[:255], "text": 7}, headers=good).content,
        strict.http.get("/docs", headers=good).content,
    ]
    head_of = f"GET /v1/inbox?token={token} HTTP/1.1\r\nHost: x\r\n"
    responses += [
        strict.raw(f"{head_of}Authorization Bearer {token}\r\n\r\n".encode()),
        strict.raw(f"{head_of}{token}: x\r\nBad Name: {token}\r\n\r\n".encode()),
        strict.raw(f"{head_of}Transfer-Encoding: {token}\r\n\r\n".encode()),
        strict.raw(f"GET /v1/inbox?token={token} HTTP/9.9\r\n\r\n".encode()),
        strict.raw(f"{token} / HTTP/1.1\r\n\r\n".encode()),
    ]
    processes = [command_line(pid).encode() for pid in strict.process.process_tree()]
    for secret in (head, payload, signature):
        assert all(secret.encode() not in one for one in (*responses, *processes))
        assert secret not in strict.process.output()
    assert any(b"malformed_request" in one for one in responses)
