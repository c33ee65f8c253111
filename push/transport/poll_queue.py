"""Packets for one client that long-polls; bounded as the send buffer of a WebSocket is."""

from engineio.packet import Packet
from gevent.queue import Empty, SimpleQueue

from push.transport.limits import BUFFER_MAX_BYTES, BUFFER_MAX_PACKETS, POLL_MAX_PACKETS
from push.transport.packets import size_of
from push.transport.send_buffer import BufferFull


class PollQueue:
    """A queue that ends: after `close`, polls return what is left, and then nothing."""

    __slots__ = ("_bytes", "_queue")

    def __init__(self) -> None:
        self._queue: SimpleQueue[Packet | None] = SimpleQueue()  # None: closed
        self._bytes = 0

    def put(self, packet: Packet) -> None:
        """Raises `BufferFull`; an empty queue takes a packet of any size."""
        size, waiting = size_of(packet), self._queue.qsize()
        if waiting and (waiting >= BUFFER_MAX_PACKETS or self._bytes + size > BUFFER_MAX_BYTES):
            raise BufferFull
        self._bytes += size
        self._queue.put(packet)

    def poll(self, timeout: float) -> list[Packet]:
        """The packets of one response: at least one, or [] once closed. Raises `TimeoutError` when none comes."""
        try:
            packets = [self._queue.get(timeout=timeout)]
        except Empty:
            raise TimeoutError from None
        while packets[-1] is not None and len(packets) < POLL_MAX_PACKETS and self._queue.qsize():
            packets.append(self._queue.get_nowait())
        if packets[-1] is None and len(packets) > 1:
            self._queue.put(None)  # for the next poll
        return self._taken(packets)

    def take_all(self) -> list[Packet]:
        """Empty the queue without waiting."""
        return self._taken([self._queue.get_nowait() for _ in range(self._queue.qsize())])

    def close(self) -> None:
        self._queue.put(None)

    def _taken(self, packets: "list[Packet | None]") -> list[Packet]:
        taken = [packet for packet in packets if packet is not None]
        self._bytes -= sum(map(size_of, taken))
        return taken
