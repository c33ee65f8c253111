from pathlib import Path

from tests.api.running import Api, Caller, running_api

ORIGIN = "https://app.example.com"


def test_a_listed_origin_may_call_with_our_headers(api: Api) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
    }
    answer = api.http.options("/v1/inbox/1", headers=headers)
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


def test_origins_are_matched_however_the_setting_spells_them(tmp_path: Path) -> None:
    listed = "https://App.Example.com,https://shop.example:443,https://bücher.example,capacitor://localhost"
    with running_api(f"sqlite:///{tmp_path}/belfry.sqlite", tmp_path, CORS_ORIGINS=listed) as api:
        alice = api.caller("alice")
        for origin in (
            "https://app.example.com",
            "https://shop.example",
            "https://xn--bcher-kva.example",
            "capacitor://localhost",
            "capacitor://LOCALHOST",
        ):
            answer = alice.request("GET", "/v1/inbox", {"Origin": origin})
            assert answer.status_code == 200
            assert answer.headers["Access-Control-Allow-Origin"] == origin
        for origin in ("https://shop.example:8443", "http://app.example.com", "ionic://localhost", "null"):
            assert alice.request("GET", "/v1/inbox", {"Origin": origin}).status_code == 403


def test_a_page_of_this_server_may_call_whether_or_not_the_default_port_is_written(api: Api, alice: Caller) -> None:
    for origin, host in (
        ("https://belfry.example", "belfry.example:443"),
        ("https://belfry.example", "Belfry.Example"),
        ("http://belfry.example", "belfry.example:80"),
    ):
        assert alice.request("GET", "/v1/inbox", {"Origin": origin, "Host": host}).status_code == 200
    for origin, host in (
        ("https://belfry.example", "belfry.example:80"),
        ("https://belfry.example:8443", "belfry.example"),
    ):
        assert alice.request("GET", "/v1/inbox", {"Origin": origin, "Host": host}).status_code == 403
