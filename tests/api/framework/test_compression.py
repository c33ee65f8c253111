"""Large responses are compressed for clients that accept gzip; their content is the same."""

import gzip
import http.client
import json
from urllib.parse import urlsplit

import pytest

from api.framework.compression import MIN_BYTES
from tests.api.running import Api, Caller


def get(api: Api, path: str, caller: Caller | None, accepted: str | None) -> tuple[http.client.HTTPResponse, bytes]:
    """The response, not decompressed."""
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    headers = {**(caller.headers if caller else {}), **({"Accept-Encoding": accepted} if accepted else {})}
    connection.putrequest("GET", path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


@pytest.fixture
def reader(api: Api, alice: Caller, bob: Caller) -> Caller:
    """A caller with a large inbox page."""
    api.deliver(*(alice.post("/v1/messages", {"to": bob.id, "text": f"{n} " + "boots " * 50}) for n in range(10)))
    return bob


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "*", "deflate;q=1, gzip;q=0.1", "GZIP"])
def test_a_large_page_is_compressed_for_who_accepts_it(api: Api, reader: Caller, accepted: str) -> None:
    _, plain = get(api, "/v1/inbox", reader, None)
    answer, packed = get(api, "/v1/inbox", reader, accepted)
    assert answer.getheader("Content-Encoding") == "gzip"
    assert answer.getheader("Content-Type") == "application/json"
    assert "Accept-Encoding" in answer.getheader("Vary", "")
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 4


@pytest.mark.parametrize("accepted", [None, "", "identity", "gzip;q=0", "*;q=0", "br", "gzip;q=0, *;q=1", "gzip;q=x"])
def test_who_does_not_accept_it_gets_it_plain_and_caches_are_told(
    api: Api, reader: Caller, accepted: str | None
) -> None:
    answer, content = get(api, "/v1/inbox", reader, accepted)
    assert answer.getheader("Content-Encoding") is None
    assert "Accept-Encoding" in answer.getheader("Vary", "")
    assert len(json.loads(content)["items"]) == 10


def test_a_small_answer_is_never_compressed(api: Api, alice: Caller) -> None:
    for path in ("/v1/inbox/summary", "/v1/inbox", "/healthz", "/v1/nowhere"):
        answer, content = get(api, path, alice, "gzip")
        assert len(content) < MIN_BYTES
        assert answer.getheader("Content-Encoding") is None
        assert "Accept-Encoding" not in answer.getheader("Vary", "")


def test_what_is_known_already_is_not_sent_again_compressed_or_not(api: Api) -> None:
    for path in ("/openapi.json", "/docs"):
        tags = {get(api, path, None, accepted)[0].getheader("ETag") for accepted in ("gzip", "identity")}
        [tag] = tags
        for accepted in ("gzip", "identity"):
            answer = api.http.get(path, headers={"If-None-Match": str(tag), "Accept-Encoding": accepted})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["ETag"] == tag
            assert "Accept-Encoding" in answer.headers["Vary"]
