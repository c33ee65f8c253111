"""A TCP proxy in a thread that can be slow, lose answers, or fall silent without closing its connections."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import closing, suppress
from typing import Any

from dev.processes import free_port

CHUNK = 65_536


class Proxy:
    """Forwards connections to `port` to another port of this machine."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self._to_port = to_port
        self.questions = 0  # chunks received from the client
        self._delay = 0.0
        self._swallows = False
        self._robbed: set[asyncio.StreamWriter] = set()
        self._lines: set[asyncio.Task[None]] = set()
        self._near: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._do(self._listen())

    @property
    def lines(self) -> int:
        """The number of open client connections."""
        return len(self._near)

    def stop(self) -> None:
        self._do(self._hang_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lead_to(self, to_port: int) -> None:
        """Forward new connections to another port; open ones stay."""
        self._to_port = to_port

    def hang_up(self, *, reset: bool = False) -> None:
        """Close all client connections: by a FIN, as a router does that cleans up, or by a RST."""
        self._do(self._hang_up_near(reset))

    def slow_down(self, seconds: float) -> None:
        """Delay every answer by this many seconds."""
        self._delay = seconds

    def swallow_answers(self) -> None:
        """Forward requests, drop answers."""
        self._swallows = True

    def fall_silent(self) -> None:
        """Forward nothing and close nothing; data that waits is kept, as TCP keeps it."""
        self._do(self._set_open(False))

    def drop_lines(self) -> None:
        """Open connections forward nothing any more and are not closed; new ones work."""
        self._do(self._drop_lines())

    def heal(self) -> None:
        """Forward everything again. Close connections that lost data: the rest of their stream is meaningless."""
        self._delay, self._swallows = 0.0, False
        self._do(self._cut_robbed())
        self._do(self._set_open(True))

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    async def _listen(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def _set_open(self, is_open: bool) -> None:
        (self._open.set if is_open else self._open.clear)()

    async def _drop_lines(self) -> None:
        self._open.clear()  # for good, for the connections that share this event
        self._open = asyncio.Event()
        self._open.set()

    async def _cut_robbed(self) -> None:
        for writer in self._robbed:
            writer.transport.abort()
        self._robbed.clear()

    async def _hang_up_near(self, reset: bool) -> None:
        for writer in self._near:
            if reset:  # a close that discards unsent data sends a RST
                line = writer.get_extra_info("socket")
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _hang_up(self) -> None:
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, is_open = asyncio.current_task(), self._open
        assert line is not None
        self._lines.add(line)
        self._near.add(writer)
        with closing(writer), suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
            with closing(far_writer):
                ways = self._ask(reader, far_writer, is_open), self._answer(far_reader, writer, is_open)
                await self._both_ways(is_open, *ways)
        self._lines.discard(line)
        self._near.discard(writer)

    async def _both_ways(self, is_open: asyncio.Event, *ways: Coroutine[Any, Any, None]) -> None:
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await is_open.wait()  # a silent connection does not forward a close either
        finally:
            for task in tasks:
                task.cancel()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                self.questions += 1
                await is_open.wait()
                writer.write(data)
                await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await is_open.wait()
                if self._swallows:
                    self._robbed.add(writer)
                    continue
                await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
