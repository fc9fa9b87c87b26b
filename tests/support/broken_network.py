"""A way to a server that a test can cut, or let fall silent, and mend: a small TCP proxy on a loopback port."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["BrokenNetwork"]

_RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)


@dataclass(eq=False, slots=True)
class _Link:
    """One connection and, once it is made, the one behind it."""

    silent: bool
    silent_at: bytes = b""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65536):
                    self.silent |= bool(self.silent_at) and self.silent_at in data
                    if not self.silent:
                        sink.write(data)
                        await sink.drain()
        finally:
            if not self.silent:
                sink.close()

    def reset(self) -> None:
        for writer in self.writers:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_WHEN_CLOSED)
            writer.transport.abort()


class BrokenNetwork:
    """Passes bytes between a port of its own and a Unix socket. Make it with `to`."""

    def __init__(self, upstream: Path) -> None:
        self.port = 0
        self.silent_at = b""  # a connection made from now on falls silent when this is to be delivered on it
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._links: set[_Link] = set()
        self._cut = False
        self._silent = False

    @classmethod
    @contextmanager
    def to(cls, upstream: Path) -> Iterator[BrokenNetwork]:
        """A working way to the Unix socket `upstream`."""
        network = cls(upstream)
        listening = threading.Event()
        thread = threading.Thread(
            target=network._loop.run_until_complete, args=(network._serve(listening),), name="broken-network"
        )
        thread.start()
        try:
            assert listening.wait(60)
            yield network
        finally:
            network._do(network._stopping.set)
            thread.join(60)
            network._loop.close()

    def cut(self) -> None:
        """Reset every connection, and each new one, until it is mended."""
        self._do(self._break, True, False)

    def fall_silent(self) -> None:
        """Deliver nothing any more, and end nothing either, as where a firewall has forgotten its connections.

        Those made before it is mended never come back; those made afterwards work.
        """
        self._do(self._break, False, True)

    def mend(self) -> None:
        """Let new connections through."""
        self._do(self._break, False, False)

    def _do(self, what: Callable[..., None], *arguments: object) -> None:
        done = threading.Event()

        def do() -> None:  # both at once: after the last thing that is done the loop ends
            what(*arguments)
            done.set()

        self._loop.call_soon_threadsafe(do)
        assert done.wait(60)

    def _break(self, cut: bool, silent: bool) -> None:
        self._cut, self._silent = cut, silent
        for link in self._links:
            link.silent |= silent
            if cut:
                link.reset()

    async def _serve(self, listening: threading.Event) -> None:
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await self._stopping.wait()
        server.close()
        for link in self._links:
            link.reset()
        while self._links:
            await asyncio.sleep(0.01)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self._silent, self.silent_at, [writer])
        self._links.add(link)
        try:
            if self._silent:
                await link.pump(reader, writer)  # what it says is heard by nobody
            elif not self._cut:
                with suppress(OSError):
                    there, back = await asyncio.open_unix_connection(self._upstream)
                    link.writers.append(back)
                    await asyncio.gather(link.pump(reader, back), link.pump(there, writer))
        finally:
            link.reset()
            self._links.discard(link)
