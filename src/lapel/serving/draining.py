"""How a server ends: everything that was asked on an accepted connection is answered, then connections are closed.

From the first signal on no new connection is accepted. Each answer says ``Connection: close``, so that no client sends
another request on that connection. Connections on which nothing is asked stay open for a moment, for a request may be
on its way.
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

from lapel.serving.accepting import Accepting

__all__ = ["ACCEPT_SECONDS", "IDLE_SECONDS", "DrainingServer", "TakesLeave"]

ACCEPT_SECONDS: Final = 0.05
"""How long connections are accepted that were made before the signal."""
IDLE_SECONDS: Final = 1.0
"""How long a connection stays open on which nothing is asked."""
_LOOK_SECONDS: Final = 0.02
_CANCELLED_SECONDS: Final = 2.0
_FORCED_SECONDS: Final = 2.0

_log = structlog.get_logger("lapel")


class _State(ServerState):
    """What all connections share.

    Attributes:
        ending: the server has been told to end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ending = False


class TakesLeave(HttpToolsProtocol):
    """A connection that takes leave when the server ends; before another protocol among the bases of one."""

    server_state: _State
    _last: RequestResponseCycle | None = None

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.server_state.ending:
            self.close_after_last()

    def close_after_last(self) -> None:
        """Close after the answer to the request that came last, and say so with that one and with none before it."""
        last, cycle = self._last, cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle is last or cycle.response_complete:
            return
        if last is not None and not last.response_started:
            last.keep_alive = True
        if cycle.keep_alive:
            cycle.keep_alive = False
            self._last = cycle

    def is_idle(self) -> bool:
        """Whether no request is being answered, waits to be, or is arriving."""
        answering = self.cycle is not None and not self.cycle.response_complete
        arriving = self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)
        return not (answering or arriving or self.pipeline)


class DrainingServer(uvicorn.Server):
    """uvicorn's server with an end that loses nothing.

    Args:
        accepting: accepts the connections, in place of uvicorn.
        drain_seconds: what is not answered by then is cut off.
        serves: told True when connections are accepted, and False at the first signal.
        supervised: the signals come from the process that started this one: only SIGINT ends it at once.

    Attributes:
        cut_off: how many requests got no answer.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        accepting: Accepting,
        drain_seconds: float,
        serves: Callable[[bool], None],
        supervised: bool = False,
    ) -> None:
        super().__init__(config)
        self.server_state: _State = _State()
        self.servers = []
        self.cut_off = 0
        self._accepting = accepting
        self._drain_seconds = drain_seconds
        self._serves = serves
        self._supervised = supervised

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        await self._accepting.start(self._connection)
        self._serves(True)

    def _connection(self) -> asyncio.Protocol:
        loop = asyncio.get_running_loop()
        kind = cast("type[TakesLeave]", self.config.http_protocol_class)
        return kind(self.config, self.server_state, self.lifespan.state, loop)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal lets everything be answered; a second one ends the server now."""
        if self.should_exit:
            # systemd may send to all processes what the first one hands on, too.
            self.force_exit = self.force_exit or sig == signal.SIGINT or not self._supervised
            return
        self.should_exit = self.server_state.ending = True
        self._serves(False)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        began = time.monotonic()
        self.server_state.ending = True
        for connection in self._connections():
            connection.close_after_last()
        self._accepting.refuse_new()
        await asyncio.sleep(ACCEPT_SECONDS)
        await self._accepting.stop()
        while self.server_state.connections and not self.force_exit:
            if time.monotonic() - began > self._drain_seconds:
                break
            if time.monotonic() - began > IDLE_SECONDS:
                self._close_idle()
            await asyncio.sleep(_LOOK_SECONDS)
        await self._cut_off()
        if self.force_exit:  # the second signal came from somebody who will not wait for a database either
            asyncio.get_running_loop().call_later(_FORCED_SECONDS, os._exit, 1)
        await self.lifespan.shutdown()

    def _connections(self) -> list[TakesLeave]:
        return cast("list[TakesLeave]", list(self.server_state.connections))

    def _close_idle(self) -> None:
        """Close what is idle, unless something has arrived that has not been read yet."""
        poll = select.poll()
        idle: dict[int, TakesLeave] = {}
        for connection in self._connections():
            if connection.is_idle() and (found := connection.transport.get_extra_info("socket")) is not None:
                idle[found.fileno()] = connection
                poll.register(found.fileno(), select.POLLIN)
        arrived = {number for number, _ in poll.poll(0)}
        for number, connection in idle.items():
            if number not in arrived:
                connection.transport.close()

    async def _cut_off(self) -> None:
        tasks = set(self.server_state.tasks)
        self.cut_off = len(tasks)
        if tasks:
            # uvicorn would show where each of them stood, which says nothing about why.
            logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
            _log.error("requests were cut off: they were not answered in time", requests=self.cut_off)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCELLED_SECONDS)
        for connection in self._connections():
            connection.transport.abort()


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
