"""A wire that can be slow, lose answers, or go dead without a word: a TCP proxy in a thread of its own."""

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
    """Carries what comes to `port` to another port of this machine, and back."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self._to_port = to_port
        self.questions = 0  # pieces that came from the near side
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
        """How many are open on the near side."""
        return len(self._near)

    def stop(self) -> None:
        self._do(self._hang_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lead_to(self, to_port: int) -> None:
        """New lines lead to another port; those that are open stay."""
        self._to_port = to_port

    def hang_up(self, *, reset: bool = False) -> None:
        """End all lines on the near side: by a FIN, as a router does that tidies up, or by a RST."""
        self._do(self._hang_up_near(reset))

    def slow_down(self, seconds: float) -> None:
        """From now on every answer takes longer by this."""
        self._delay = seconds

    def swallow_answers(self) -> None:
        """What is asked arrives, what is answered does not."""
        self._swallows = True

    def fall_silent(self) -> None:
        """Nothing passes, nobody is told; what waits is kept, as TCP keeps it."""
        self._do(self._set_open(False))

    def drop_lines(self) -> None:
        """Lines that are open now carry nothing any more, and nobody is told; new ones work."""
        self._do(self._drop_lines())

    def heal(self) -> None:
        """Carry everything again; a line that lost something is cut, as nobody could make sense of the rest."""
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
        self._open.clear()  # for the lines that know this event, for good
        self._open = asyncio.Event()
        self._open.set()

    async def _cut_robbed(self) -> None:
        for writer in self._robbed:
            writer.transport.abort()
        self._robbed.clear()

    async def _hang_up_near(self, reset: bool) -> None:
        for writer in self._near:
            if reset:  # closing with unsent data thrown away sends a RST
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
            await is_open.wait()  # nor does a silent wire tell that somebody hung up
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
