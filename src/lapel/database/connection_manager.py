"""Connection managers: the state of a database's connections, and reconnection after a loss."""

from __future__ import annotations

import asyncio
import logging
import warnings
import weakref
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from contextvars import Context
from datetime import datetime, timedelta
from random import SystemRandom

import structlog
from msgspec.structs import replace

from lapel.database.errors import DatabaseError, NotConnected
from lapel.database.health import Answer, ConnectionState, PoolStatus, Reconnection
from lapel.domain.clock import Clock

__all__ = ["ConnectionManager", "backoff"]

_log = structlog.get_logger("lapel.database")

_PROBE_TIMEOUT_SECONDS = 1.0  # after which the database counts as unreachable
_TICKS = 10
_PROBE_EVERY_SECONDS = 1.0
_OPEN = (ConnectionState.CONNECTED, ConnectionState.DEGRADED)


def backoff(attempt: int) -> float:
    """Return the seconds to wait after `attempt` failures: exponential, at most two, with jitter.

    The jitter keeps clients that lost the same database from all returning to it at the same moment.
    """
    longest = min(2.0, 0.05 * 2.0 ** min(attempt, 30))
    return SystemRandom().uniform(longest / 2, longest)


class ConnectionManager(ABC):
    """Opens, monitors and closes the connections to one database. A module implements the abstract methods.

    While it is open, it probes the database once a second. If a probe fails, its state is degraded, and it probes with
    a growing delay until the database answers. Between probes the event loop holds no reference to the manager, so that
    one that is dropped without being closed is garbage-collected, with a `ResourceWarning`.

    Args:
        address: the database's address for the operator, without secrets.
        patience: seconds to keep trying to connect, and to wait for running work when closing.
    """

    what = "the database"
    """Its name in the log."""
    state = ConnectionState.DISCONNECTED
    generation = 0
    """Grows whenever another database replaces the current one."""

    def __init__(self, address: str, *, patience: float, clock: Clock) -> None:
        self.address = address
        self.reconnection: Reconnection | None = None
        self.reconnections = 0
        self._patience = patience
        self._clock = clock
        self._transition = asyncio.Lock()
        self._question: asyncio.Task[Answer | DatabaseError] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @abstractmethod
    async def _open(self) -> None:
        """Open the connections. After an error, `_break` is called to clean up."""

    @abstractmethod
    async def _ask(self) -> Answer:
        """Run a real query on the database. Cancelled if it takes too long."""

    @abstractmethod
    async def _drain(self, within: float) -> None:
        """Wait at most so many seconds for running work. The state keeps new work from starting."""

    @abstractmethod
    def _break(self) -> None:
        """Close everything at once, including what is only partly open. Does nothing if nothing is open."""

    @abstractmethod
    def pool_status(self) -> PoolStatus:
        """Return the state of this process's connections."""

    def measurements(self) -> Mapping[str, float]:
        """Return the module's further metrics, by their names in `lapel.database.metrics.MEASUREMENTS`."""
        return {}

    async def connect(self) -> None:
        """Open the connections, retrying while `patience` lasts. Does nothing if they are open.

        Raises:
            DatabaseError: the last error.
        """
        async with self._transition:
            if self.state is not ConnectionState.DISCONNECTED:
                return
            self.state = ConnectionState.CONNECTING
            try:
                await self._open_patiently()
                self.state = ConnectionState.CONNECTED
            except DatabaseError as error:
                # Clients may see the error; only the operator may see the address.
                level = logging.WARNING if error.__cause__ else logging.INFO  # without a cause the error says it all
                _log.log(level, f"cannot connect to {self.what}", address=self.address, reason=_reason(error))
                raise
            finally:
                self.reconnection = None
                if self.state is not ConnectionState.CONNECTED:
                    self._break()
                    self.state = ConnectionState.DISCONNECTED
            self._probe_in(_PROBE_EVERY_SECONDS)

    async def disconnect(self) -> None:
        """Wait for running work while `patience` lasts, then close everything. Does nothing if closed."""
        async with self._transition:
            if self.state is ConnectionState.DISCONNECTED:
                return
            self.state = ConnectionState.CLOSING
            try:
                self._stop_probing()
                if self._question is not None:
                    await asyncio.wait([self._question])
                await self._drain(self._patience)
            finally:
                self._break()
                self.reconnection = None
                self.state = ConnectionState.DISCONNECTED

    async def ask(self) -> Answer:
        """Query the database now, and return its answer.

        Raises:
            DatabaseError: the query failed or timed out.
        """
        if self.state not in _OPEN:
            raise NotConnected
        question = self._asking()
        await asyncio.wait([question])
        if question.cancelled():
            raise NotConnected
        answer = question.result()
        if isinstance(answer, DatabaseError):
            raise type(answer)(answer.detail, hint=answer.hint) from answer.__cause__  # a new error for each caller
        return answer

    def _asking(self) -> asyncio.Task[Answer | DatabaseError]:
        """Return the running query, or start one. All share it: a queue of them would look like a slow database."""
        if self._question is None:
            # In a new context: it does not belong to the request that lost the database.
            self._question = asyncio.get_running_loop().create_task(self._ask_in_time(), context=Context())
        return self._question

    async def _ask_in_time(self) -> Answer | DatabaseError:
        try:
            answer = await _in_time(self._ask())
            self._mark_found()
            return answer
        except DatabaseError as error:
            self._mark_lost(error)
            return error
        finally:
            self._question = None
            if self.state is ConnectionState.DISCONNECTED:  # closed meanwhile: close what the query has opened
                self._break()
            if self._timer is None:  # this was a probe
                lost = self.reconnection
                self._probe_in(_PROBE_EVERY_SECONDS if lost is None else backoff(lost.attempt))

    def doubt(self) -> None:
        """Probe the database at once, because a connection has broken."""
        if self.state is ConnectionState.CONNECTED and self._question is None:
            self._probe_in(0)

    async def _open_patiently(self) -> None:
        loop, since = asyncio.get_running_loop(), self._clock()
        deadline, attempt = loop.time() + self._patience, 0
        while True:
            attempt += 1
            try:
                return await self._open()
            except DatabaseError as error:
                self._break()
                delay = backoff(attempt)
                if not error.retryable or loop.time() + delay > deadline:
                    raise
                self.reconnection = Reconnection(
                    since=since, attempt=attempt, next_try=self._in(delay), last_error=error.detail
                )
            await asyncio.sleep(delay)

    def _mark_lost(self, error: DatabaseError) -> None:
        if self.reconnection is not None:
            self.reconnection = replace(self.reconnection, last_error=error.detail)
        elif self.state is ConnectionState.CONNECTED:
            self.state = ConnectionState.DEGRADED
            _log.warning(f"{self.what} is away", address=self.address, reason=_reason(error))
            now = self._clock()
            self.reconnection = Reconnection(since=now, attempt=0, next_try=now, last_error=error.detail)
            self._probe_in(backoff(0))

    def _mark_found(self) -> None:
        if self.state is ConnectionState.DEGRADED and self.reconnection is not None:
            outage = self._clock() - self.reconnection.since
            _log.info(f"{self.what} is back", address=self.address, seconds=round(outage.total_seconds(), 3))
            self.state = ConnectionState.CONNECTED
            self.reconnection = None
            self.reconnections += 1

    def _probe_in(self, seconds: float) -> None:
        self._stop_probing()
        if self.state not in _OPEN:
            return
        if self.reconnection is not None:
            self.reconnection = replace(self.reconnection, next_try=self._in(seconds))
        self._timer = asyncio.get_running_loop().call_later(seconds, _probe, weakref.ref(self))

    def _stop_probing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.state not in _OPEN and self._question is not None:
            self._question.cancel()

    def _in(self, seconds: float) -> datetime:
        return self._clock() + timedelta(seconds=seconds)

    def __del__(self) -> None:
        if self.state is not ConnectionState.DISCONNECTED:
            warnings.warn(f"unclosed database {self.address}", ResourceWarning, source=self, stacklevel=1)
            self._stop_probing()
            self._break()


async def _in_time(work: Coroutine[object, object, Answer]) -> Answer:
    """Return the result of `work`, or cancel it and raise `NotConnected` if it takes too long.

    Its time is counted in ticks, of which at most one passes while the event loop is blocked. So an answer that arrived
    in time, but could not be read yet, is not too late.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(_TICKS):
            if (await asyncio.wait([task], timeout=_PROBE_TIMEOUT_SECONDS / _TICKS))[0]:
                return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    raise NotConnected(f"The database did not answer within {_PROBE_TIMEOUT_SECONDS:g} s.")


def _probe(reference: weakref.ref[ConnectionManager]) -> None:
    manager = reference()
    if manager is not None:
        manager._timer = None
        if manager.reconnection is not None:
            manager.reconnection = replace(manager.reconnection, attempt=manager.reconnection.attempt + 1)
        manager._asking()


def _reason(error: DatabaseError) -> str:
    """Return the driver's message, or else ours."""
    return str(error.__cause__ or "") or error.detail
