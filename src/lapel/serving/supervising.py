"""The supervisor of several server processes: it starts them, restarts those that end, and forwards signals."""

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
from lapel.serving.acceptors import refuse_new_connections
from lapel.serving.worker_slots import WorkerSlot, WorkerSlots

__all__ = ["Supervisor"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_FIRST_DELAY: Final = 0.5
_MAX_DELAY: Final = 30.0
_STABLE_SECONDS: Final = 10.0
"""A process that has run for so long is restarted without a delay."""
_AFTER_DRAIN_SECONDS: Final = 15.0

_ONE_MORE_END: Final = [
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
    next_start: float = 0.0
    delay: float = 0.0
    kill_at: float | None = None
    """When it is killed, if it has been told to end."""


class Supervisor:
    """Keeps a number of processes serving on one socket.

    SIGTERM and SIGINT end them all, a second signal at once; SIGHUP restarts them one after the other.

    Args:
        listening: the socket from which they accept connections; closed here when they are to end.
        serve: runs in each process, with its slot; returns its exit status.
        report: shows a person why a process could not serve.
        drain_seconds: how long a process may take to shut down; some time after that it is killed.
    """

    def __init__(
        self,
        listening: socket.socket,
        *,
        workers: int,
        serve: Callable[[WorkerSlot], int],
        report: Callable[[LapelError], None],
        drain_seconds: float,
    ) -> None:
        self._listening = listening
        self._serve = serve
        self._report = report
        self._drain_seconds = drain_seconds
        self._slots = WorkerSlots(workers)
        self._workers = [_Worker(number) for number in range(workers)]
        self._to_restart: deque[int] = deque()
        self._is_ending = False
        self._exit_status = 0
        self._lifeline = os.pipe()  # closes when this process ends, which its workers notice
        self._wakeup = os.pipe()  # receives the number of each signal

    def run(self) -> int:
        """Run until all processes have ended. Returns the greatest of their exit statuses."""
        os.set_blocking(self._wakeup[0], False)
        os.set_blocking(self._wakeup[1], False)
        previous_handlers = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        try:
            while not self._is_ending or any(worker.pid for worker in self._workers):
                self._start_due()
                self._restart_next()
                self._wait()
                self._reap()
                self._kill_late()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in previous_handlers.items():
                signal.signal(number, handler)
            for descriptor in (*self._lifeline, *self._wakeup):
                os.close(descriptor)
            self._slots.close()
        return self._exit_status

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if not worker.pid and worker.next_start <= now and not self._is_ending:
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        # The new process inherits the handlers and the wakeup pipe: until it resets them, a signal to it would wake its
        # parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._run_worker(worker.number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        worker.pid, worker.started_at, worker.kill_at = pid, time.monotonic(), None
        _log.info("a server process has started", worker=worker.number, pid=pid)

    def _run_worker(self, number: int) -> NoReturn:
        """Run in the new process until it ends; never returns into its parent's code."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            for descriptor in (self._lifeline[1], *self._wakeup):
                os.close(descriptor)
            # Until it serves, it has no requests to answer before it ends.
            signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.setpgid(0, 0)  # so that a terminal signals the supervisor alone, which forwards the signal
            status = self._serve(WorkerSlot(self._slots, number, lifeline=self._lifeline[0]))
        except LapelError as error:
            self._report(error)
        except BaseException:
            _log.critical("a server process has failed", worker=number, exc_info=True)
        finally:
            with suppress(OSError):
                sys.stderr.flush()
            os._exit(status)

    def _wait(self) -> None:
        """Wait for a signal or for the next deadline."""
        deadlines = [worker.next_start for worker in self._workers if not worker.pid and not self._is_ending]
        deadlines += [worker.kill_at for worker in self._workers if worker.pid and worker.kill_at is not None]
        if self._to_restart:
            deadlines.append(time.monotonic() + 0.05)  # no signal says when the restarted one is ready
        timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        if not select.select([self._wakeup[0]], [], [], timeout)[0]:
            return
        for number in os.read(self._wakeup[0], 4096):
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end()
            elif number == signal.SIGHUP and not self._is_ending:
                self._to_restart = deque(worker.number for worker in self._workers)

    def _end(self) -> None:
        is_first_signal, self._is_ending = not self._is_ending, True
        if is_first_signal:
            refuse_new_connections(self._listening)
            self._to_restart.clear()
            self._listening.close()
        for worker in self._workers:
            if worker.pid and is_first_signal:
                self._terminate(worker)
            elif worker.pid:
                os.kill(worker.pid, signal.SIGINT)

    def _terminate(self, worker: _Worker) -> None:
        worker.kill_at = time.monotonic() + self._drain_seconds + _AFTER_DRAIN_SECONDS
        os.kill(worker.pid, signal.SIGTERM)

    def _restart_next(self) -> None:
        all_ready = all(worker.pid and self._slots.ready(worker.number) for worker in self._workers)
        if self._to_restart and all_ready and all(worker.kill_at is None for worker in self._workers):
            self._terminate(self._workers[self._to_restart.popleft()])

    def _reap(self) -> None:
        for worker in self._workers:
            if worker.pid:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    self._on_end(worker, os.waitstatus_to_exitcode(status))

    def _on_end(self, worker: _Worker, code: int) -> None:
        self._keep_counts(worker.number)
        pid, worker.pid = worker.pid, 0
        now = time.monotonic()
        if self._is_ending:
            self._exit_status = max(self._exit_status, abs(code))
            return
        was_stable = code == 0 or now - worker.started_at > _STABLE_SECONDS
        worker.delay = 0.0 if was_stable else min(max(worker.delay * 2, _FIRST_DELAY), _MAX_DELAY)
        worker.next_start = now + worker.delay
        log = _log.info if code == 0 else _log.error
        log(
            "a server process has ended and is restarted",
            worker=worker.number,
            pid=pid,
            exit_status=code,
            after_seconds=worker.delay,
        )

    def _keep_counts(self, number: int) -> None:
        """Add the counts of a process that has ended to those of all that ended before it."""
        slots = self._slots
        slots.set_ready(number, False)
        parts = [decode(content) for content in (slots.read(slots.ended), slots.read(number)) if content]
        with slots.moving():
            slots.publish(slots.ended, encode(sum_families([*parts, _ONE_MORE_END], gone=True)))
            slots.publish(number, b"")

    def _kill_late(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.pid and worker.kill_at is not None and now >= worker.kill_at:
                _log.error("a server process that does not end is killed", worker=worker.number, pid=worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
                worker.kill_at = now + _AFTER_DRAIN_SECONDS
