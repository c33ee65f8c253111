from tests.api.running import Api, Caller

ORIGIN = "https://app.example.com"


def test_a_listed_origin_may_call_with_our_headers(api: Api) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
    }
    answer = api.http.options("/v1/inbox/1", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type, idempotency-key"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_listed_origin_may_read_answers_and_errors(api: Api, alice: Caller) -> None:
    for answer in (
        alice.request("GET", "/v1/inbox", {"Origin": ORIGIN}),
        api.http.get("/v1/inbox", headers={"Origin": ORIGIN}),
        api.http.get("/nowhere", headers={"Origin": ORIGIN}),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Origin" in answer.headers["Vary"]


def test_no_other_origin_may(api: Api, alice: Caller) -> None:
    for origin in (
        "https://app.example.com.evil.org",
        "https://appXexample.com",
        "http://app.example.com",
        "null",
        "*",
    ):
        answer = alice.request("GET", "/v1/inbox", {"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        preflight = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        assert "Access-Control-Allow-Origin" not in api.http.options("/v1/inbox", headers=preflight).headers
