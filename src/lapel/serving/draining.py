"""The graceful shutdown: every request on an accepted connection is answered, then the connections are closed.

After the first signal no new connection is accepted. Each answer has ``Connection: close``, so that no client sends
another request on that connection. Idle connections stay open for a moment, because a request may be on its way.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Final, cast

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from lapel.serving.acceptors import Acceptor

__all__ = ["ACCEPT_SECONDS", "IDLE_SECONDS", "DrainingConnection", "DrainingServer"]

ACCEPT_SECONDS: Final = 0.05
"""How long connections are still accepted that were opened before the signal."""
IDLE_SECONDS: Final = 1.0
"""How long an idle connection stays open after the signal."""
_POLL_SECONDS: Final = 0.02
_CANCEL_SECONDS: Final = 2.0
_FORCED_EXIT_SECONDS: Final = 2.0

_log = structlog.get_logger("lapel")


class _State(ServerState):
    """The state that all connections share.

    Attributes:
        draining: the server is shutting down.
    """

    def __init__(self) -> None:
        super().__init__()
        self.draining = False


class DrainingConnection(HttpToolsProtocol):
    """A connection that closes after its last answer once the server is shutting down.

    It is combined with another protocol, as the first of a class's bases.
    """

    server_state: _State
    _closing_after: RequestResponseCycle | None = None

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.server_state.draining:
            self.close_after_last()

    def close_after_last(self) -> None:
        """Close after the answer to the latest request: only that answer gets ``Connection: close``."""
        previous, cycle = self._closing_after, cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle is previous or cycle.response_complete:
            return
        if previous is not None and not previous.response_started:
            previous.keep_alive = True
        if cycle.keep_alive:
            cycle.keep_alive = False
            self._closing_after = cycle

    def is_idle(self) -> bool:
        """Return whether no request is being answered, is queued, or is arriving."""
        answering = self.cycle is not None and not self.cycle.response_complete
        arriving = self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)
        return not (answering or arriving or self.pipeline)


class DrainingServer(uvicorn.Server):
    """uvicorn's server with a shutdown that loses no request.

    Args:
        acceptor: accepts the connections, in place of uvicorn.
        drain_seconds: requests that take longer to answer after the first signal are cut off.
        set_ready: called with True when connections are accepted, and with False at the first signal.
        supervised: the signals come from the supervisor: a second SIGTERM is then ignored, only SIGINT forces the exit.

    Attributes:
        cut_off: how many requests got no answer.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        acceptor: Acceptor,
        drain_seconds: float,
        set_ready: Callable[[bool], None],
        supervised: bool,
    ) -> None:
        super().__init__(config)
        self.server_state: _State = _State()
        self.servers = []
        self.cut_off = 0
        self._acceptor = acceptor
        self._drain_seconds = drain_seconds
        self._set_ready = set_ready
        self._supervised = supervised

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        await self._acceptor.start(self._new_connection)
        self._set_ready(True)

    def _new_connection(self) -> asyncio.Protocol:
        loop = asyncio.get_running_loop()
        protocol_class = cast("type[DrainingConnection]", self.config.http_protocol_class)
        return protocol_class(self.config, self.server_state, self.lifespan.state, loop)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down gracefully at the first signal, and at once at a second one."""
        if self.should_exit:
            # systemd may signal every process, and the supervisor forwards the same signal.
            self.force_exit = self.force_exit or sig == signal.SIGINT or not self._supervised
            return
        self.should_exit = self.server_state.draining = True
        self._set_ready(False)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        started = time.monotonic()
        self.server_state.draining = True
        for connection in self._connections():
            connection.close_after_last()
        self._acceptor.refuse_new()
        await asyncio.sleep(ACCEPT_SECONDS)
        await self._acceptor.stop()
        while self.server_state.connections and not self.force_exit:
            if time.monotonic() - started > self._drain_seconds:
                break
            if time.monotonic() - started > IDLE_SECONDS:
                self._close_idle()
            await asyncio.sleep(_POLL_SECONDS)
        await self._cut_off()
        if self.force_exit:  # whoever sent a second signal will not wait for the database to close, either
            asyncio.get_running_loop().call_later(_FORCED_EXIT_SECONDS, os._exit, 1)
        await self.lifespan.shutdown()

    def _connections(self) -> list[DrainingConnection]:
        return cast("list[DrainingConnection]", list(self.server_state.connections))

    def _close_idle(self) -> None:
        """Close idle connections, except those on which data has arrived that has not been read yet."""
        poll = select.poll()
        idle: dict[int, DrainingConnection] = {}  # by file descriptor
        for connection in self._connections():
            if connection.is_idle() and (sock := connection.transport.get_extra_info("socket")) is not None:
                idle[sock.fileno()] = connection
                poll.register(sock.fileno(), select.POLLIN)
        readable = {descriptor for descriptor, _ in poll.poll(0)}
        for descriptor, connection in idle.items():
            if descriptor not in readable:
                connection.transport.close()

    async def _cut_off(self) -> None:
        tasks = set(self.server_state.tasks)
        self.cut_off = len(tasks)
        if tasks:
            # uvicorn would log a traceback for each, which says nothing about the cause.
            logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
            _log.error("requests were cut off: they were not answered in time", requests=self.cut_off)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
        for connection in self._connections():
            connection.transport.abort()


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
