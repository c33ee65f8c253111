"""The load generator's HTTP: requests built in advance, over kept-alive connections.

It shares no code with the product.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple, Self, cast

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Sent(NamedTuple):
    """A request by its index; times in seconds of `perf_counter`. Status 0: the server closed the connection."""

    place: int
    at: float
    answered: float
    status: int


def get(path: str, token: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def send(method: str, path: str, token: str, body: object) -> bytes:
    text = json.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


class Connection(asyncio.Protocol):
    """One connection, with one request at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._buffer = b""
        self._answer: asyncio.Future[Answer] | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def ask(self, request: bytes) -> Answer:
        """Raises `ConnectionError` if the server closes the connection first."""
        if self.closed:
            raise ConnectionError("the server has hung up")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer = _answer_in(self._buffer)
        if answer and self._answer and not self._answer.done():
            self._buffer = b""
            self._answer.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server hung up ({error})"))


def _answer_in(data: bytes) -> Answer | None:
    """The response, once it is complete."""
    head, found, body = data.partition(HEAD_END)
    if not found:
        return None
    _, named, rest = head.lower().partition(b"\r\ncontent-length:")
    length = int(rest.partition(b"\r\n")[0]) if named else 0
    return Answer(int(head[9:12]), body) if len(body) >= length else None


class Pool:
    """A pool with a maximum size. An idle connection that the server closed is opened again."""

    def __init__(self, port: int, size: int) -> None:
        self._port = port
        self._idle: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._idle.put_nowait(None)

    async def ask(self, request: bytes) -> Answer:
        """Wait for a connection and send the request. Raises `OSError` if the server closes it or does not listen."""
        async with self._connection() as connection:
            return await connection.ask(request)

    def close(self) -> None:
        while not self._idle.empty():
            if connection := self._idle.get_nowait():
                connection.close()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = await self._idle.get()
        try:
            if connection is None or connection.closed:
                connection = await Connection.open(self._port)
            yield connection
        finally:
            self._idle.put_nowait(connection)


async def drive(port: int, requests: Iterable[bytes], connections: int, seconds: float = float("inf")) -> list[Sent]:
    """Send requests as fast as they are answered, over this many connections, until the time or the requests end."""
    places = enumerate(requests)
    done: list[Sent] = []
    end = perf_counter() + seconds

    async def keep_busy() -> None:
        connection = await Connection.open(port)
        for place, request in places:
            done.append(await _timed(place, connection.ask, request))
            if done[-1].answered > end:
                break
            if connection.closed:
                connection = await Connection.open(port)
        connection.close()

    await asyncio.gather(*(keep_busy() for _ in range(connections)))
    return done


async def pace(pool: Pool, requests: Iterable[bytes], per_second: float) -> list[Sent]:
    """Send requests at a steady rate, whether or not earlier ones are answered. A wait for a connection is latency."""
    start = perf_counter()
    asked = []
    async with asyncio.TaskGroup() as group:
        for place, request in enumerate(requests):
            await asyncio.sleep(max(0, start + place / per_second - perf_counter()))
            asked.append(group.create_task(_timed(place, pool.ask, request)))
    return [one.result() for one in asked]


async def _timed(place: int, ask: Callable[[bytes], Awaitable[Answer]], request: bytes) -> Sent:
    at = perf_counter()
    try:
        status = (await ask(request)).status
    except OSError:
        status = 0
    return Sent(place, at, perf_counter(), status)
