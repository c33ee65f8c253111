"""Tokens: what is accepted, and that everything else is refused with one and the same error."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from auth.tokens import InvalidToken, issue, make_verifier
from lib.token_keys import TOKEN_LIFETIME_MAX
from models.revocations import KEPT

SECRET = "a secret of at least thirty-two bytes"
VERIFIER = make_verifier(secret=SECRET)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    every = {"sub": "bob", "exp": now + 60, "iat": now, "scope": "inbox"} | changes
    return {name: value for name, value in every.items() if value is not None}


def signed(payload: dict[str, Any], secret: str = SECRET, **header: Any) -> str:
    return jwt.encode(payload, secret, algorithm="HS256", headers=header or None)


def assert_refused(token: Any) -> str:
    with pytest.raises(InvalidToken) as refusal:
        VERIFIER.verify(token)
    return str(refusal.value)


def test_an_issued_token_says_who_it_is_for_what_it_allows_and_until_when() -> None:
    verified = VERIFIER.verify(issue(SECRET, "zoë ☂", ["inbox", "notify"], 90))
    assert verified.sub == "zoë ☂"
    assert verified.scopes == {"inbox", "notify"}
    assert verified.issued_at is not None
    assert 88 < (verified.expires_at - datetime.now(UTC)).total_seconds() <= 90


@pytest.mark.parametrize("scope", ["inbox notify", ["inbox", "notify"]])
def test_scopes_come_as_words_or_as_a_list(scope: object) -> None:
    assert VERIFIER.verify(signed(claims(scope=scope))).scopes == {"inbox", "notify"}


def test_a_token_need_not_say_when_it_was_issued() -> None:
    assert VERIFIER.verify(signed(claims(iat=None))).issued_at is None


@pytest.mark.parametrize("claim", ["sub", "exp", "scope"])
def test_a_token_without_a_required_claim_is_refused(claim: str) -> None:
    assert_refused(signed(claims(**{claim: None})))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 1},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 1e300},
        {"exp": int((datetime.now(UTC) + KEPT).timestamp()) + 3600},
        {"exp": float("nan")},
        {"exp": str(int(time.time()) + 3600)},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"iat": []},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
        {"sub": "new\nline"},
        {"sub": "nul\x00"},
        {"sub": "c1\x85"},
        {"sub": "\ud800"},
        {"scope": 7},
        {"scope": [7]},
        {"scope": {"inbox": True}},
    ],
)
def test_a_claim_of_no_use_is_refused(changes: dict[str, Any]) -> None:
    assert_refused(signed(claims(**changes)))


def test_the_longest_id_is_accepted_and_counted_in_characters() -> None:
    assert VERIFIER.verify(signed(claims(sub="☂" * 255))).sub == "☂" * 255


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("leeway", "ahead"), [(None, 25), (60, 50), (5, 2)])
def test_an_issuers_clock_may_be_ahead_by_the_leeway(claim: str, leeway: int | None, ahead: int) -> None:
    given = {} if leeway is None else {"leeway_seconds": leeway}
    verifier = make_verifier(secret=SECRET, **given)  # type: ignore[arg-type]
    now = int(time.time())
    assert verifier.verify(signed(claims(**{claim: now + ahead}))).sub == "bob"
    with pytest.raises(InvalidToken):
        verifier.verify(signed(claims(**{claim: now + (leeway or 30) + 10})))


def test_the_leeway_makes_no_token_live_longer() -> None:
    with pytest.raises(InvalidToken, match="expired"):
        make_verifier(secret=SECRET, leeway_seconds=60).verify(signed(claims(exp=int(time.time()) - 1)))


def test_the_longest_lived_token_of_an_issuer_ahead_is_good_and_never_outlives_its_revocation() -> None:
    ahead = int(time.time()) + 25
    longest = signed(claims(iat=ahead, exp=ahead + int(TOKEN_LIFETIME_MAX.total_seconds())))
    assert VERIFIER.verify(longest).expires_at <= datetime.now(UTC) + KEPT


def test_tokens_of_the_previous_secret_are_good_while_it_is_named() -> None:
    previous = "the secret that was used until yesterday"
    old, new = signed(claims(), secret=previous), signed(claims())
    rotating = make_verifier(secret=SECRET, previous_secret=previous)
    assert [rotating.verify(token).sub for token in (old, new)] == ["bob", "bob"]
    assert_refused(old)
    with pytest.raises(InvalidToken, match="InvalidSignatureError"):
        rotating.verify(signed(claims(), secret="another secret of thirty-two bytes"))
    for secret in (SECRET, previous):
        with pytest.raises(InvalidToken, match=r"expired|ExpiredSignatureError"):
            rotating.verify(signed(claims(exp=int(time.time()) - 60), secret=secret))


def test_alg_none_is_refused() -> None:
    assert_refused(jwt.encode(claims(), "", algorithm="none"))


def test_another_secret_and_another_hash_are_refused() -> None:
    assert_refused(signed(claims(), secret="another secret of thirty-two bytes"))
    assert_refused(jwt.encode(claims(), SECRET * 2, algorithm="HS512"))


@pytest.mark.parametrize("header", [{"crit": ["exp2"], "exp2": 1}, {"crit": []}, {"crit": "b64"}, {"kid": 7}])
def test_a_header_that_is_not_understood_is_refused(header: dict[str, Any]) -> None:
    parts = signed(claims()).split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"typ": "JWT", "alg": "HS256"} | header).encode()).rstrip(b"=")
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(f"{forged.decode()}.{parts[1]}".encode(), algorithm.prepare_key(SECRET))
    sealed = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    assert_refused(f"{forged.decode()}.{parts[1]}.{sealed}")


@pytest.mark.parametrize("token", [None, b"bytes", 7, {}, "", "a", "a.b", "a.b.c", "\ud800.b.c", "..", "x" * 100_000])
def test_what_is_no_token_is_refused(token: object) -> None:
    assert_refused(token)


def test_where_no_audience_is_expected_a_token_may_name_any() -> None:
    assert make_verifier(secret=SECRET).verify(signed(claims(aud="another service"))).sub == "bob"


def test_a_token_of_another_audience_or_issuer_is_refused() -> None:
    verifier = make_verifier(secret=SECRET, audience="belfry", issuer="https://id.example")
    good = issue(SECRET, "bob", ["inbox"], 60, audience="belfry", issuer="https://id.example")
    assert verifier.verify(good).sub == "bob"
    for wrong in (
        claims(aud="belfry"),
        claims(iss="https://id.example"),
        claims(aud="other", iss="https://id.example"),
        claims(aud="belfry", iss="https://other.example"),
    ):
        with pytest.raises(InvalidToken):
            verifier.verify(signed(wrong))


def test_the_reason_for_a_refusal_repeats_nothing_of_the_token() -> None:
    for token in (
        signed(claims(sub="s3cret\nid")),
        signed(claims(), crit=["s3cret"], s3cret=1),
        "s3cret.s3cret.s3cret",
    ):
        assert "s3cret" not in assert_refused(token)
        assert token not in assert_refused(token)


@pytest.mark.parametrize("sources", [{}, {"secret": SECRET, "jwks_url": "http://127.0.0.1/keys"}])
def test_a_verifier_trusts_exactly_one_family_of_algorithms(sources: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        make_verifier(**sources)  # type: ignore[arg-type]


def test_a_revocation_covers_what_was_issued_before_it_in_its_second_and_who_knows_when() -> None:
    moment = datetime.fromtimestamp(int(time.time()), UTC)
    covered = {
        iat: VERIFIER.verify(signed(claims(iat=iat and int(moment.timestamp()) + iat))).issued_before(moment)
        for iat in (-1, None, 1)
    }
    assert covered == {-1: True, None: True, 1: False}
    assert VERIFIER.verify(signed(claims(iat=int(moment.timestamp())))).issued_before(moment + timedelta(seconds=0.9))
