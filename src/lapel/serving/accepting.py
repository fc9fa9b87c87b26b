"""Who accepts connections: this process alone, or in turn with others that share the socket."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog

__all__ = ["BACKLOG", "Accepting", "AcceptingAlone", "AcceptingInTurn", "refuse_new_connections"]

BACKLOG: Final = 2048
_PAUSE_SECONDS: Final = 1.0
_SOON_SECONDS: Final = 0.02
_SO_ATTACH_FILTER: Final = 26

_log = structlog.get_logger("lapel")

ProtocolFactory = Callable[[], asyncio.Protocol]


class Accepting(Protocol):
    """Takes connections from a listening socket."""

    async def start(self, factory: ProtocolFactory) -> None:
        """Accept from now on."""
        ...

    def refuse_new(self) -> None:
        """Let nobody begin a connection; those that are made already are still accepted."""
        ...

    async def stop(self) -> None:
        """Accept no more; what was accepted has its protocol when this returns."""
        ...


class AcceptingAlone:
    """The event loop's own way: everything that waits, at once."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._server: asyncio.Server | None = None

    async def start(self, factory: ProtocolFactory) -> None:
        self._server = await asyncio.get_running_loop().create_server(factory, sock=self._listening, backlog=BACKLOG)

    def refuse_new(self) -> None:
        refuse_new_connections(self._listening)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._listening.close()
        await asyncio.sleep(_SOON_SECONDS)  # what the loop has accepted is its own secret


class AcceptingInTurn:
    """One connection in each turn of the event loop, from a socket that others accept from too.

    So whoever is idle takes the next one, and a process that is busy takes fewer. Nothing that waits in the socket's
    queue is lost with a process that ends, as it is where each process has a socket of its own (SO_REUSEPORT).
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._factory: ProtocolFactory | None = None
        self._arriving: set[asyncio.Task[object]] = set()

    async def start(self, factory: ProtocolFactory) -> None:
        self._factory = factory
        self._resume()

    def refuse_new(self) -> None:
        """Nothing to do: the others go on, and when all end, whoever started them sees to it."""

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        self._factory = None
        if self._arriving:
            await asyncio.wait(self._arriving)

    def _resume(self) -> None:
        if self._factory is not None:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._factory is not None
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another process was faster; the client is gone
            return
        except OSError as error:  # no file is left to be opened
            _log.error("no connection can be accepted", reason=error.strerror)
            loop.remove_reader(self._listening)
            loop.call_later(_PAUSE_SECONDS, self._resume)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task: asyncio.Task[object] = loop.create_task(loop.connect_accepted_socket(self._factory, connection))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)


def refuse_new_connections(listening: socket.socket) -> None:
    """Have the system drop the first packet of every new connection, where it can.

    A connection that is made between the last accept and the close would be cut, perhaps with a request on it. One
    whose first packet is dropped is tried again by its client's system a second later: by then it is refused, or
    the server's successor takes it.
    """
    if not sys.platform.startswith("linux"):
        return
    # Classic BPF on the TCP header: drop where of SYN and ACK only SYN is set, keep all else.
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (0x30, 0, 0, 13),  # ldb [13]
            (0x54, 0, 0, 0x12),  # and #0x12
            (0x15, 0, 1, 0x02),  # jeq #2, next, skip one
            (0x06, 0, 0, 0),  # ret #0
            (0x06, 0, 0, 0xFFFFFFFF),  # ret #-1
        )
    )
    buffer = ctypes.create_string_buffer(program)
    with suppress(OSError):  # forbidden: then one may be cut
        listening.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
        )
