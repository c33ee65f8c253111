"""The WebSocket handshake, by RFC 6455."""

import base64

import pytest
from wsproto.events import AcceptConnection

from push.transport.websocket import accept_token
from tests.push.clients import RawSocket, rejected
from tests.push.support import PushProcess


def test_the_answer_to_a_key_is_the_rfcs_example() -> None:
    example = {"HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==", "HTTP_SEC_WEBSOCKET_VERSION": "13"}
    assert accept_token(example) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "☂"},
        {"Sec-WebSocket-Key": base64.b64encode(b"x" * 15).decode()},
        {"Sec-WebSocket-Version": "8"},
        {},
    ],
)
def test_a_handshake_that_is_none_is_refused(push: PushProcess, headers: dict[str, str]) -> None:
    given = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"} | headers
    given |= {"Upgrade": "websocket", "Connection": "Upgrade"}
    if not headers:
        del given["Sec-WebSocket-Key"]
    encoded = {name: value.encode() for name, value in given.items()}
    assert push.get("/socket.io/?EIO=4&transport=websocket", headers=encoded).status_code == 400


def test_a_handshake_whose_connection_is_not_to_be_upgraded_is_refused_and_logs_no_error(push: PushProcess) -> None:
    headers = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13", "Upgrade": "websocket"}
    response = push.get("/socket.io/?EIO=4&transport=websocket", headers=headers | {"Connection": "keep-alive"})
    assert response.status_code == 400
    assert "request_failed" not in push.log()


def test_compression_is_declined(push: PushProcess) -> None:
    raw = RawSocket(push.port, headers={"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"})
    assert isinstance(raw.handshake, AcceptConnection)
    assert raw.handshake.extensions == []
    assert "extensions" not in str(raw.handshake.extra_headers).lower()
    raw.close()


def test_a_plain_request_for_a_websocket_is_refused(push: PushProcess) -> None:
    assert push.get("/socket.io/?EIO=4&transport=websocket").status_code == 400
    assert rejected(RawSocket(push.port, query="EIO=3&transport=websocket")) == 400
