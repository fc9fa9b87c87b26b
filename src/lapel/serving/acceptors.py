"""Accept connections from a listening socket, alone or together with other processes that share the socket."""

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

__all__ = ["BACKLOG", "Acceptor", "SharedSocketAcceptor", "SoleAcceptor", "refuse_new_connections"]

BACKLOG: Final = 2048
_RETRY_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 0.02
_SO_ATTACH_FILTER: Final = 26

_log = structlog.get_logger("lapel")

ProtocolFactory = Callable[[], asyncio.Protocol]


class Acceptor(Protocol):
    """Accepts connections from a listening socket."""

    async def start(self, factory: ProtocolFactory) -> None:
        """Start accepting; each connection gets a protocol from `factory`."""
        ...

    def refuse_new(self) -> None:
        """Refuse connections that clients open from now on; those in the socket's queue are still accepted."""
        ...

    async def stop(self) -> None:
        """Stop accepting. When this returns, each accepted connection has its protocol."""
        ...


class SoleAcceptor:
    """Lets the event loop accept all waiting connections at once; for a process that has the socket to itself."""

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
        await asyncio.sleep(_SETTLE_SECONDS)  # the loop does not say which accepted connections have no protocol yet


class SharedSocketAcceptor:
    """Accepts one connection in each iteration of the event loop, from a socket that several processes share.

    So an idle process takes the next connection, and a busy one takes fewer. When a process ends, no connection in the
    socket's queue is lost, as it would be if each process had a socket of its own (SO_REUSEPORT).
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._factory: ProtocolFactory | None = None
        self._connecting: set[asyncio.Task[object]] = set()

    async def start(self, factory: ProtocolFactory) -> None:
        self._factory = factory
        self._resume()

    def refuse_new(self) -> None:
        """Does nothing: the other processes go on accepting. When all end, the supervisor refuses new connections."""

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        self._factory = None
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _resume(self) -> None:
        if self._factory is not None:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._factory is not None
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another process was faster, or the client is gone
            return
        except OSError as error:  # such as too many open files
            _log.error("no connection can be accepted", reason=error.strerror)
            loop.remove_reader(self._listening)
            loop.call_later(_RETRY_SECONDS, self._resume)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task: asyncio.Task[object] = loop.create_task(loop.connect_accepted_socket(self._factory, connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)


def refuse_new_connections(listening: socket.socket) -> None:
    """Make the kernel drop the first packet of every new connection, on Linux if it is allowed.

    A connection that is opened between the last accept and the close would be reset, perhaps with a request on it. If
    its first packet is dropped, the client's system tries again a second later: by then the connection is refused, or
    the server's successor accepts it.
    """
    if not sys.platform.startswith("linux"):
        return
    # Classic BPF on the TCP header: drop packets with SYN and without ACK, keep all others.
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
    with suppress(OSError):  # not allowed here: then a connection may be reset
        listening.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
        )
