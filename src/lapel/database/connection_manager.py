"""Connection managers: the states of a database's connections, and how one that was lost is found again."""

from __future__ import annotations

import asyncio
import logging
import random
import warnings
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from lapel.database.errors import DatabaseError, NotConnected
from lapel.database.health import Answer, ConnectionState, PoolStatus, Reconnection
from lapel.domain.clock import Clock

__all__ = ["ConnectionManager", "backoff"]

_log = structlog.get_logger("lapel.database")

_ANSWER_SECONDS = 1.0  # after which a database counts as away
_TICKS = 10
_LOOK_SECONDS = 1.0
_OPEN = (ConnectionState.CONNECTED, ConnectionState.DEGRADED)


def backoff(attempt: int) -> float:
    """Seconds to wait after `attempt` failures: doubled each time up to two, and a random part of that is left out.

    So many who lost the same database do not all come back to it at the same moment.
    """
    longest = min(2.0, 0.05 * 2.0 ** min(attempt, 30))
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


class ConnectionManager(ABC):
    """Opens, watches and closes the connections to one database. A module says how, in the methods with underscores.

    While it is open it asks the database once a second whether it is there, and goes on with what it is told: without
    an answer it is degraded and asks again after a pause that grows, for as long as it takes. The event loop holds no
    reference to it in between, so that one that is dropped without being closed is collected, and warns.

    Args:
        address: where the database is, for the operator, without secrets.
        patience: seconds for which connecting is tried, and for which what is running may go on when it is closed.
    """

    what = "the database"
    """How it is called in the log."""
    state = ConnectionState.DISCONNECTED
    generation = 0
    """Grows with every database that takes the place of the one before."""

    def __init__(self, address: str, *, patience: float, clock: Clock) -> None:
        self.address = address
        self.reconnection: Reconnection | None = None
        self.reconnections = 0
        self._patience = patience
        self._clock = clock
        self._changing = asyncio.Lock()
        self._question: asyncio.Task[Answer | DatabaseError] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._look: asyncio.Task[None] | None = None

    @abstractmethod
    async def _open(self) -> None:
        """Open what is needed. What is left open after an error is for `_break`."""

    @abstractmethod
    async def _ask(self) -> Answer:
        """Ask the database a real question. Cancelled when it takes too long."""

    @abstractmethod
    async def _drain(self, within: float) -> None:
        """Wait so long for what is running to end. Nobody new is let in meanwhile: the state says so."""

    @abstractmethod
    def _break(self) -> None:
        """Close everything at once, whatever is open or half open; does nothing if nothing is."""

    @abstractmethod
    def pool_status(self) -> PoolStatus:
        """The connections of this process."""

    def measurements(self) -> Mapping[str, float]:
        """What a module counts besides, by its name in `lapel.database.metrics`."""
        return {}

    async def connect(self) -> None:
        """Open the connections, trying again for as long as patience lasts. Does nothing if they are open.

        Raises:
            DatabaseError: the last reason why not.
        """
        async with self._changing:
            if self.state is not ConnectionState.DISCONNECTED:
                return
            self.state = ConnectionState.CONNECTING
            try:
                await self._open_patiently()
                self.state = ConnectionState.CONNECTED
            except DatabaseError as error:
                # Errors reach anybody who asks; where the database is, only the operator is told.
                level = logging.WARNING if error.__cause__ else logging.INFO  # else the error itself says all
                _log.log(level, f"cannot connect to {self.what}", address=self.address, reason=_reason(error))
                raise
            finally:
                self.reconnection = None
                if self.state is not ConnectionState.CONNECTED:
                    self._break()
                    self.state = ConnectionState.DISCONNECTED
            self._look_in(_LOOK_SECONDS)

    async def disconnect(self) -> None:
        """Let what is running end, for as long as patience lasts, then close everything. Does nothing if closed."""
        async with self._changing:
            if self.state is ConnectionState.DISCONNECTED:
                return
            self.state = ConnectionState.CLOSING
            try:
                self._stop_looking()
                if running := [task for task in (self._look, self._question) if task is not None]:
                    await asyncio.wait(running)
                await self._drain(self._patience)
            finally:
                self._break()
                self.reconnection = None
                self.state = ConnectionState.DISCONNECTED

    async def ask(self) -> Answer:
        """What the database answers, now.

        Raises:
            DatabaseError: it does not, or not in time.
        """
        if self.state not in _OPEN:
            raise NotConnected
        if self._question is None:
            # One question for all who ask at the same time: a queue of them would be taken for a slow database.
            self._question = asyncio.get_running_loop().create_task(self._ask_in_time(), context=Context())
        question = self._question
        await asyncio.wait([question])
        if question.cancelled():
            raise NotConnected
        answer = question.result()
        if isinstance(answer, DatabaseError):
            raise type(answer)(answer.detail, hint=answer.hint) from answer.__cause__  # its own error for each
        return answer

    async def _ask_in_time(self) -> Answer | DatabaseError:
        try:
            async with _attentive_timeout(_ANSWER_SECONDS):
                answer = await self._ask()
        except TimeoutError as error:
            away = NotConnected(f"The database did not answer within {_ANSWER_SECONDS:g} s.")
            away.__cause__ = error
            self._lost(away)
            return away
        except DatabaseError as error:
            self._lost(error)
            return error
        finally:
            self._question = None
            if self.state is ConnectionState.DISCONNECTED:  # meanwhile, and what asking has opened is left
                self._break()
        self._found()
        return answer

    def doubt(self) -> None:
        """A connection has broken under somebody: look at once whether the database is still there."""
        if self.state is ConnectionState.CONNECTED and self._look is None:
            self._look_in(0)

    async def _open_patiently(self) -> None:
        loop, since = asyncio.get_running_loop(), self._clock()
        until, attempt = loop.time() + self._patience, 0
        while True:
            attempt += 1
            try:
                return await self._open()
            except DatabaseError as error:
                self._break()
                pause = backoff(attempt)
                if not error.retryable or loop.time() + pause > until:
                    raise
                self.reconnection = Reconnection(
                    since=since, attempt=attempt, next_try=self._in(pause), last_error=error.detail
                )
            await asyncio.sleep(pause)

    def _lost(self, error: DatabaseError) -> None:
        if self.reconnection is not None:
            self.reconnection = replace(self.reconnection, last_error=error.detail)
        elif self.state is ConnectionState.CONNECTED:
            self.state = ConnectionState.DEGRADED
            _log.warning(f"{self.what} is away", address=self.address, reason=_reason(error))
            now = self._clock()
            self.reconnection = Reconnection(since=now, attempt=0, next_try=now, last_error=error.detail)
            self._look_in(backoff(0))

    def _found(self) -> None:
        if self.state is ConnectionState.DEGRADED and self.reconnection is not None:
            away = self._clock() - self.reconnection.since
            _log.info(f"{self.what} is back", address=self.address, seconds=round(away.total_seconds(), 3))
            self.state = ConnectionState.CONNECTED
            self.reconnection = None
            self.reconnections += 1

    def _look_in(self, seconds: float) -> None:
        self._stop_looking()
        if self.state not in _OPEN:
            return
        if self.reconnection is not None:
            self.reconnection = replace(self.reconnection, next_try=self._in(seconds))
        loop = asyncio.get_running_loop()
        # In a context of its own: whose request has lost the database is no matter of those who look for it.
        self._timer = loop.call_later(seconds, _begin_look, weakref.ref(self), context=Context())

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.state not in _OPEN:
            for task in (self._look, self._question):
                if task is not None:
                    task.cancel()

    async def _look_now(self) -> None:
        try:
            if self.reconnection is not None:
                self.reconnection = replace(self.reconnection, attempt=self.reconnection.attempt + 1)
            await self.ask()
        except DatabaseError:
            pass  # `ask` has taken note of it
        except Exception:
            _log.exception("looking for the database failed")
        finally:
            self._look = None
            self._look_in(_LOOK_SECONDS if self.reconnection is None else backoff(self.reconnection.attempt))

    def _in(self, seconds: float) -> datetime:
        return self._clock() + timedelta(seconds=seconds)

    def __del__(self) -> None:
        if self.state is not ConnectionState.DISCONNECTED:
            warnings.warn(f"unclosed database {self.address}", ResourceWarning, source=self, stacklevel=1)
            self._stop_looking()
            self._break()


@asynccontextmanager
async def _attentive_timeout(seconds: float) -> AsyncIterator[None]:
    """As `asyncio.timeout`, but in ticks: while this process stands still, busy with other things, only one passes.

    So an answer that is there already, and has only not been read yet, does not come too late.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def tick(left: int) -> None:
        nonlocal timer
        if left:
            timer = loop.call_later(seconds / _TICKS, tick, left - 1)
        else:
            limit.reschedule(loop.time())

    async with asyncio.timeout(None) as limit:
        tick(_TICKS)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()


def _begin_look(manager: weakref.ref[ConnectionManager]) -> None:
    looking = manager()
    if looking is not None and looking._look is None:
        looking._look = asyncio.get_running_loop().create_task(looking._look_now())


def _reason(error: DatabaseError) -> str:
    """What the driver said, or else what we say."""
    return str(error.__cause__ or "") or error.detail
