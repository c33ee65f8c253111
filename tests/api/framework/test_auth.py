import base64
import json
import time
from collections.abc import Sequence
from pathlib import Path

import jwt
import pytest

from api.framework import auth
from api.framework.auth import CachedVerifier
from auth.tokens import InvalidToken, SharedSecrets, TokenVerifier, issue
from tests.api.running import SECRET, Api, Caller, answered, problem, running_api

NOW = int(time.time())
PREVIOUS = "the secret that was used until yesterday"
CLAIMS = {"sub": "alice", "scope": "inbox", "exp": NOW + 86_400}


def signed(**changes: object) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def unsigned() -> str:
    parts = ({"alg": "none", "typ": "JWT"}, CLAIMS)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


REFUSED = {
    "nothing": None,
    "no scheme": signed(),
    "another scheme": f"Basic {signed()}",
    "no token": "Bearer",
    "no JWT": "Bearer abc",
    "two tokens": f"Bearer {signed()} {signed()}",
    "no signature": f"Bearer {unsigned()}",
    "another secret": f"Bearer {jwt.encode(CLAIMS, 'another secret, long enough for HS256', algorithm='HS256')}",
    "a changed token": f"Bearer {signed()[:-3]}AAA",
    "expired": f"Bearer {signed(exp=NOW - 1)}",
    "no expiry": f"Bearer {signed(exp=None)}",
    "no subject": f"Bearer {signed(sub=None)}",
    "an empty subject": f"Bearer {signed(sub='')}",
    "a long subject": f"Bearer {signed(sub='x' * 256)}",
    "a subject with a control character": "Bearer " + signed(sub="a\x00"),
    "no scope": f"Bearer {signed(scope=None)}",
    "garbage": "Bearer \xff\xfe",
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_without_a_good_token_gets_one_and_the_same_answer(api: Api, case: str) -> None:
    value = REFUSED[case]
    headers = [] if value is None else [(b"Authorization", value.encode("latin-1"))]
    bodies = set()
    for method, path in (("GET", "/v1/inbox"), ("POST", "/v1/follows"), ("DELETE", "/v1/follows/bob")):
        answer = api.http.request(method, path, headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="belfry"'
        bodies.add(answer.text)
    assert bodies == {api.http.get("/v1/inbox").text}


def test_a_good_token_is_taken_whatever_the_case_of_its_scheme(api: Api) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        answered(api.http.get("/v1/inbox", headers={"Authorization": f"{scheme} {signed()}"}), 200)


def test_a_token_without_the_scope_is_told_which(api: Api, alice: Caller, shop: Caller) -> None:
    before = api.stored()
    body = {"recipients": ["bob"], "kind": "k", "title": "t"}
    assert "notify" in problem(alice.post("/v1/notifications", body), 403, "forbidden")["detail"]
    assert "inbox" in problem(shop.post("/v1/messages", {"to": "bob", "text": "x"}), 403, "forbidden")["detail"]
    assert "inbox" in problem(shop.get("/v1/inbox"), 403, "forbidden")["detail"]
    assert api.stored() == before


def test_a_stranger_learns_nothing_about_bodies(api: Api, alice: Caller) -> None:
    problem(api.http.post("/v1/notifications", content=b"{"), 401, "unauthorized")
    problem(alice.request("POST", "/v1/notifications", content=b"{"), 403, "forbidden")


def test_the_token_never_reaches_the_log(api: Api) -> None:
    token = issue(SECRET, "alice", ["inbox"], -10)
    problem(api.http.get("/v1/inbox", headers={"Authorization": f"Bearer {token}"}), 401, "unauthorized")
    assert token.split(".")[1] not in api.process.output()


def test_health_metrics_and_the_page_ask_for_no_token(api: Api) -> None:
    for path in ("/healthz", "/metrics", "/config.json"):
        assert api.http.get(path).status_code == 200


def test_a_token_that_was_good_is_refused_from_its_expiry_on(api: Api) -> None:
    expiry = int(time.time()) + 2
    headers = {"Authorization": f"Bearer {signed(exp=expiry)}"}
    while (answer := api.http.get("/v1/inbox/summary", headers=headers)).status_code == 200:
        assert time.time() < expiry + 5
    problem(answer, 401, "unauthorized")
    assert time.time() >= expiry


class CountingKey(SharedSecrets):
    """A key that counts how often it is used."""

    uses = 0

    def keys_for(self, token: str) -> Sequence[str]:
        self.uses += 1
        return super().keys_for(token)


@pytest.fixture
def key() -> CountingKey:
    return CountingKey(SECRET)


@pytest.fixture
def verifier(key: CountingKey) -> CachedVerifier:
    return CachedVerifier(TokenVerifier(key, None, None))


def test_a_token_is_verified_once_and_never_taken_for_another(verifier: CachedVerifier, key: CountingKey) -> None:
    ours = [issue(SECRET, name, ["inbox"], 600) for name in ("alice", "bob")]
    for _ in range(3):
        assert [verifier.verify(token).sub for token in ours] == ["alice", "bob"]
    assert key.uses == 2


def test_a_refusal_is_not_remembered_and_changes_nothing_for_others(verifier: CachedVerifier, key: CountingKey) -> None:
    good = issue(SECRET, "alice", ["inbox"], 600)
    verifier.verify(good)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            verifier.verify(good[:-3] + "AAA")
    assert verifier.verify(good).sub == "alice"
    assert key.uses == 3


def test_no_more_tokens_are_remembered_than_fit(verifier: CachedVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "CACHE_MAX", 3)
    tokens = [issue(SECRET, f"user {n}", ["inbox"], 600) for n in range(20)]
    for _ in range(2):
        assert [verifier.verify(token).sub for token in tokens] == [f"user {n}" for n in range(20)]
        assert len(verifier._cache) <= 3


def test_the_settings_of_tokens_reach_the_api(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.sqlite"
    with running_api(url, tmp_path, JWT_SECRET_PREVIOUS=PREVIOUS, JWT_LEEWAY_SECONDS="60") as api:
        for token in (
            of_the_previous_secret(),
            signed(),
            signed(iat=int(time.time()) + 50),
            signed(nbf=int(time.time()) + 50),
        ):
            answered(api.http.get("/v1/inbox", headers={"Authorization": f"Bearer {token}"}), 200)
        problem(
            api.http.get("/v1/inbox", headers={"Authorization": f"Bearer {signed(exp=NOW - 1)}"}), 401, "unauthorized"
        )


def test_an_issuer_whose_clock_is_ten_seconds_ahead_is_trusted_by_default(api: Api) -> None:
    ahead = signed(iat=int(time.time()) + 10)
    answered(api.http.get("/v1/inbox", headers={"Authorization": f"Bearer {ahead}"}), 200)
    problem(
        api.http.get("/v1/inbox", headers={"Authorization": f"Bearer {of_the_previous_secret()}"}), 401, "unauthorized"
    )


def of_the_previous_secret() -> str:
    return jwt.encode(CLAIMS, PREVIOUS, algorithm="HS256")
