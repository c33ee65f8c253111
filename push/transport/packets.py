"""Engine.IO packets: their size, as frames of a WebSocket, and as they arrive in a POST."""

from typing import Any

from engineio.packet import Packet
from engineio.payload import Payload

from push.transport.limits import MESSAGE_MAX_BYTES
from push.transport.websocket import encode_frame


def size_of(packet: Packet) -> int:
    """Bytes, or characters of text; 0 for the server's own packets."""
    return len(packet.data) if isinstance(packet.data, str | bytes) else 0


def frame_of(packet: Packet) -> bytes:
    """The packet as one frame, encoded once for all the clients that are sent it."""
    if "frame" not in packet.__dict__:
        packet.frame = encode_frame(packet.encode())
    frame: bytes = packet.frame
    return frame


def posted_packets(environ: dict[str, Any]) -> list[Packet]:
    """Read and parse the body of a request. Raises `ValueError` when it is too long or malformed."""
    length = int(environ.get("CONTENT_LENGTH", "0"))
    if length > MESSAGE_MAX_BYTES:
        raise ValueError("the body is too long")
    body = environ["wsgi.input"].read(length).decode()
    return Payload(encoded_payload=body).packets  # type: ignore[no-any-return]
