"""The process that starts the others, starts them anew when they end, and hands on the signal to end."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

from lapel.errors import LapelError
from lapel.services.metrics.families import Family, Sample, decode, encode, sum_families
from lapel.serving.accepting import refuse_new_connections
from lapel.serving.worker_place import WorkerPlace, WorkerPlaces

__all__ = ["Supervisor"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_WELL_SECONDS: Final = 10.0
"""A process that has run for so long was well, and the next one is started at once."""
_AFTER_DRAIN_SECONDS: Final = 15.0

_ONE_END: Final = [
    Family(
        "lapel_worker_ends",
        "counter",
        "Server processes that have ended and were restarted.",
        [Sample("lapel_worker_ends_total", {}, 1.0)],
    )
]
_log = structlog.get_logger("lapel")


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int = 0
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = 0.0
    ends_at: float | None = None
    """When one that was told to end is killed."""


class Supervisor:
    """Keeps so many processes serving on one socket.

    SIGTERM and SIGINT end them all, a second one at once; SIGHUP starts them anew, one after the other.

    Args:
        listening: where they accept connections; closed here when they are to end.
        serve: what each of them does, in its place; returns its exit status.
        tell: tells a person why one could not.
        drain_seconds: how long they may take to end. One that takes longer still is killed.
    """

    def __init__(
        self,
        listening: socket.socket,
        *,
        workers: int,
        serve: Callable[[WorkerPlace], int],
        tell: Callable[[LapelError], None],
        drain_seconds: float,
    ) -> None:
        self._listening = listening
        self._serve = serve
        self._tell = tell
        self._drain_seconds = drain_seconds
        self._places = WorkerPlaces(workers)
        self._workers = [_Worker(number) for number in range(workers)]
        self._to_renew: deque[int] = deque()
        self._is_ending = False
        self._status = 0
        self._life = os.pipe()
        self._wake = os.pipe()

    def run(self) -> int:
        """Work until all have ended; the greatest of their exit statuses."""
        os.set_blocking(self._wake[0], False)
        os.set_blocking(self._wake[1], False)
        before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        try:
            while not self._is_ending or any(worker.pid for worker in self._workers):
                self._start_due()
                self._renew_next()
                self._wait()
                self._reap()
                self._kill_late()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            for end in (*self._life, *self._wake):
                os.close(end)
            self._places.close()
        return self._status

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if not worker.pid and worker.start_at <= now and not self._is_ending:
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        # Until the new process has forgotten whose handlers these are, a signal to it would wake its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._be(worker.number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        worker.pid, worker.started_at, worker.ends_at = pid, time.monotonic(), None
        _log.info("a server process has started", worker=worker.number, pid=pid)

    def _be(self, number: int) -> NoReturn:
        """The life of a new process: never returns to what its parent was doing."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            for end in (self._life[1], *self._wake):
                os.close(end)
            # Until it serves, there is nothing to be answered before the end.
            signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.setpgid(0, 0)  # what a terminal sends to end us all, the first process hands on
            status = self._serve(WorkerPlace(self._places, number, lifeline=self._life[0]))
        except LapelError as error:
            self._tell(error)
        except BaseException:
            _log.critical("a server process has failed", worker=number, exc_info=True)
        finally:
            with suppress(OSError):
                sys.stderr.flush()
            os._exit(status)

    def _wait(self) -> None:
        """Until a signal comes, or it is time for something."""
        moments = [worker.start_at for worker in self._workers if not worker.pid and not self._is_ending]
        moments += [worker.ends_at for worker in self._workers if worker.pid and worker.ends_at is not None]
        if self._to_renew:
            moments.append(time.monotonic() + 0.05)  # whether the last one is ready tells no signal
        timeout = max(0.0, min(moments) - time.monotonic()) if moments else None
        if not select.select([self._wake[0]], [], [], timeout)[0]:
            return
        for number in os.read(self._wake[0], 4096):
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end()
            elif number == signal.SIGHUP and not self._is_ending:
                self._to_renew = deque(worker.number for worker in self._workers)

    def _end(self) -> None:
        first, self._is_ending = not self._is_ending, True
        if first:
            refuse_new_connections(self._listening)
            self._to_renew.clear()
            self._listening.close()
        for worker in self._workers:
            if worker.pid and first:
                self._tell_to_end(worker)
            elif worker.pid:
                os.kill(worker.pid, signal.SIGINT)

    def _tell_to_end(self, worker: _Worker) -> None:
        worker.ends_at = time.monotonic() + self._drain_seconds + _AFTER_DRAIN_SECONDS
        os.kill(worker.pid, signal.SIGTERM)

    def _renew_next(self) -> None:
        all_ready = all(worker.pid and self._places.ready(worker.number) for worker in self._workers)
        if self._to_renew and all_ready and all(worker.ends_at is None for worker in self._workers):
            self._tell_to_end(self._workers[self._to_renew.popleft()])

    def _reap(self) -> None:
        for worker in self._workers:
            if worker.pid:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    self._has_ended(worker, os.waitstatus_to_exitcode(status))

    def _has_ended(self, worker: _Worker, code: int) -> None:
        self._keep_counts(worker.number)
        pid, worker.pid = worker.pid, 0
        now = time.monotonic()
        if self._is_ending:
            self._status = max(self._status, abs(code))
            return
        well = code == 0 or now - worker.started_at > _WELL_SECONDS
        worker.pause = 0.0 if well else min(max(worker.pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        worker.start_at = now + worker.pause
        tell_it = _log.info if code == 0 else _log.error
        tell_it(
            "a server process has ended and is restarted",
            worker=worker.number,
            pid=pid,
            exit_status=code,
            after_seconds=worker.pause,
        )

    def _keep_counts(self, number: int) -> None:
        places = self._places
        places.set_ready(number, False)
        parts = [decode(content) for content in (places.read(places.gone), places.read(number)) if content]
        with places.moving():
            places.publish(places.gone, encode(sum_families([*parts, _ONE_END], gone=True)))
            places.publish(number, b"")

    def _kill_late(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.pid and worker.ends_at is not None and now >= worker.ends_at:
                _log.error("a server process that does not end is killed", worker=worker.number, pid=worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
                worker.ends_at = now + _AFTER_DRAIN_SECONDS
