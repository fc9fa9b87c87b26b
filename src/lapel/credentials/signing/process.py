"""Signs documents in a worker process, so that concurrent requests use another processor.

Python runs one thread at a time, and canonicalising and signing are a third of the cost of issuing. All documents of
one iteration of the event loop are sent together, and their proof values come back; the documents stay here. The
process is optional: the caller itself signs single documents, and whatever the process cannot sign, or not in time.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, cast

import msgspec
import structlog

from lapel.credentials.constant_parts import ConstantPart, ProofOptions, SplitDocument
from lapel.credentials.signing.worker import LENGTH_BYTES, Part, Task, Work, frame
from lapel.credentials.worker_process import start_worker

__all__ = ["SigningJob", "SigningProcess"]

_log = structlog.get_logger("lapel.credentials")

_WORKER: Final = "lapel.credentials.signing.worker"
_START_SECONDS: Final = 30.0
_MAX_PAUSE_SECONDS: Final = 60.0
_MIN_CONCURRENT: Final = 3
"""At least so many concurrent documents are sent to the process; fewer are signed sooner by the caller."""
_SEND_AT: Final = 8
"""So many are sent before the iteration of the loop ends: the process works while others are still being read."""
_MAX_IN_FRAME: Final = 32
"""The results of each frame are handled in one iteration of the loop."""
_MAX_CACHED_BYTES: Final = 2 * 1024 * 1024  # as JSON; some thirty times as many in the memory of the process
_MAX_FRAMES: Final = 8
"""Frames sent but not answered: one is being processed, the others are ready while the server is busy."""
_MAX_QUEUED: Final = 128
"""Behind more than so many, a few documents do not queue: batches would delay them by a tenth of a second."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[str]).decode


class SigningJob(msgspec.Struct, frozen=True):
    """A document, and what to sign it with: `private_key` is Ed25519 (PKCS #8, DER)."""

    document: SplitDocument
    options: ProofOptions
    private_key: bytes

    def signed(self, proof_value: str) -> bytes:
        """Return the document with its proof as it is stored and served: UTF-8 JSON."""
        return self.document.signed(self.options, proof_value)


class _Results:
    """The results for one caller, and the future `complete`, which is done when none is missing."""

    __slots__ = ("_missing", "complete", "values")

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self.values: list[str | None] = [None] * count
        self.complete: asyncio.Future[None] = loop.create_future()
        self._missing = count

    def put(self, index: int, value: str | None) -> None:
        self.values[index] = value
        self._missing -= 1
        if self._missing == 0 and not self.complete.done():
            self.complete.set_result(None)


class _QueuedJob(msgspec.Struct, frozen=True):
    """A job that is queued or has been sent; its result is put at `position` of `results`."""

    rest: msgspec.Raw
    job: SigningJob
    results: _Results
    position: int


class SigningProcess:
    """A process that signs. It is started when several documents arrive at once, and restarted if it ends. `close` it.

    Args:
        answer_seconds: the process is ended if it takes longer to answer.
        pause_seconds: the pause before a restart; doubled each time, up to a minute, until the process has answered.
        max_cached: how many parts and keys the process may have before it is replaced by a new one.
    """

    def __init__(self, *, answer_seconds: float = 5.0, pause_seconds: float = 1.0, max_cached: int = 4096) -> None:
        self._answer_seconds = answer_seconds
        self._first_pause = self._pause = pause_seconds
        self._max_cached = max_cached
        self._queue: list[_QueuedJob] = []
        self._connection: _Connection | None = None
        self._process: Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._send_scheduled = False
        self._closed = False
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The id of the process if it is ready to sign, else None."""
        ready = self._connection is not None and self._connection.ready.is_set()
        return self._process.pid if self._process is not None and ready else None

    async def sign(self, jobs: Sequence[SigningJob]) -> Sequence[str | None]:
        """Return the documents' proof values (eddsa-rdfc-2022), or None for each that you must sign."""
        loop = asyncio.get_running_loop()
        results = _Results(len(jobs), loop)
        if self._closed or not jobs or (len(jobs) < _MIN_CONCURRENT and self._unsigned > _MAX_QUEUED):
            return results.values
        for index, job in enumerate(jobs):
            try:
                rest = msgspec.Raw(_encode(job.document.rest))
            except (OverflowError, RecursionError, TypeError, ValueError):  # the caller reports it when it signs
                results.put(index, None)
            else:
                self._queue.append(_QueuedJob(rest, job, results, index))
        if len(self._queue) >= _SEND_AT:
            self._send()
        elif not self._send_scheduled:
            self._send_scheduled = True
            loop.call_soon(self._send_scheduled_jobs)
        await results.complete
        return results.values

    @property
    def _unsigned(self) -> int:
        """The number of documents that are not signed yet."""
        connection = self._connection
        return len(self._queue) + (0 if connection is None else sum(map(len, connection.unanswered)))

    async def close(self) -> None:
        """End the process, and leave unsigned documents to their callers."""
        self._closed = True
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        self._end()

    def _send_scheduled_jobs(self) -> None:
        self._send_scheduled = False
        if self._queue:
            self._send()

    def _send(self) -> None:
        connection = self._connection
        if connection is None or not connection.ready.is_set():
            if len(self._queue) >= _MIN_CONCURRENT:
                self._start_if_due()
            self._return_queued()
        elif (
            len(connection.parts) + len(connection.keys) > self._max_cached
            or connection.cached_bytes > _MAX_CACHED_BYTES
        ):
            self._end()
        elif not connection.unanswered and len(self._queue) < _MIN_CONCURRENT:
            self._return_queued()
        else:
            while self._queue and len(connection.unanswered) < _MAX_FRAMES:
                batch, self._queue = self._queue[:_MAX_IN_FRAME], self._queue[_MAX_IN_FRAME:]
                try:
                    connection.send(batch)
                except (OverflowError, RecursionError, TypeError, ValueError):
                    _return_unsigned(batch)
                    self._end()  # `parts` and `keys` may contain what was not sent
                    return
            if self._timer is None:
                self._start_timer(connection)

    def _start_if_due(self) -> None:
        loop = asyncio.get_running_loop()
        if self._closed or self._running is not None or loop.time() < self._not_before:
            return
        self._running = loop.create_task(self._run())
        self._running.add_done_callback(self._schedule_restart)

    def _schedule_restart(self, running: asyncio.Task[None]) -> None:
        self._running = None
        self._not_before = running.get_loop().time() + self._pause
        self._pause = min(self._pause * 2, _MAX_PAUSE_SECONDS)
        self._end()

    async def _run(self) -> None:
        own_end, worker_end = socket.socketpair()
        with suppress(OSError, TimeoutError), own_end:
            with worker_end:
                process = self._process = await start_worker(_WORKER, channel=worker_end)
            try:
                connection = self._connection = _Connection(on_answer=self._on_answer, on_failure=self._end)
                await asyncio.get_running_loop().create_unix_connection(lambda: connection, sock=own_end)
                async with asyncio.timeout(_START_SECONDS):
                    await connection.ready.wait()
                await process.wait()
            finally:
                self._end()
                await process.wait()
                self._process = None
        if not self._closed:
            _log.warning("the process that signs has ended", seconds_until_next=self._pause)

    def _on_answer(self) -> None:
        self._pause = self._first_pause
        if self._queue:
            self._send()

    def _start_timer(self, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._answer_seconds, self._end_if_late, connection, connection.unanswered[0])

    def _end_if_late(self, connection: _Connection, first: Sequence[_QueuedJob]) -> None:
        self._timer = None
        if connection.unanswered and connection.unanswered[0] is first:
            self._end()
        elif connection.unanswered:
            self._start_timer(connection)

    def _end(self) -> None:
        """End the process if it runs, and leave unsigned documents to their callers."""
        connection, self._connection = self._connection, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
        if connection is not None:
            connection.end()
        self._return_queued()

    def _return_queued(self) -> None:
        queue, self._queue = self._queue, []
        _return_unsigned(queue)


def _return_unsigned(jobs: Sequence[_QueuedJob]) -> None:
    for queued in jobs:
        queued.results.put(queued.position, None)


class _Connection(asyncio.Protocol):
    """The connection to one process, with what that process has cached and has not answered.

    It ends with the process, so that answers of different processes can never be confused.
    """

    def __init__(self, *, on_answer: Callable[[], None], on_failure: Callable[[], None]) -> None:
        self.ready = asyncio.Event()
        self.parts: dict[ConstantPart, int] = {}
        self.keys: dict[bytes, int] = {}
        self.unanswered: deque[Sequence[_QueuedJob]] = deque()
        self.cached_bytes = 0
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._received: list[bytes] = []
        self._missing = LENGTH_BYTES
        self._ended = False
        self._transport: asyncio.WriteTransport | None = None

    def send(self, batch: Sequence[_QueuedJob]) -> None:
        """Send these jobs in one frame."""
        assert self._transport is not None
        self._transport.write(frame(self._work(batch)))
        self.unanswered.append(batch)

    def end(self) -> None:
        """Close the connection, and leave unanswered jobs to their callers."""
        self._ended = True
        self.ready.set()  # only so that nobody waits for it any longer
        if self._transport is not None:
            self._transport.abort()
        while self.unanswered:
            _return_unsigned(self.unanswered.popleft())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's has the methods, but not the base class

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ended:
            self._on_failure()

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._missing -= len(data)
        if self._missing > 0:  # the pieces of a large answer are joined once, when it is complete
            return
        received = b"".join(self._received)
        while not self._ended:
            length = received[:LENGTH_BYTES]
            end = LENGTH_BYTES + (int.from_bytes(length, "big") if len(length) == LENGTH_BYTES else 0)
            self._missing = end - len(received)
            if self._missing > 0:
                break
            message, received = received[LENGTH_BYTES:end], received[end:]
            self._handle(message)
        self._received = [received]

    def _handle(self, message: bytes) -> None:
        batch = self.unanswered[0] if self.unanswered else ()
        try:
            values = _decode(message)
        except msgspec.DecodeError:
            values = None
        if values is None or len(values) != len(batch) or bool(values) is not self.ready.is_set():
            self._on_failure()  # the process is out of step or corrupted
            return
        if not self.ready.is_set():
            self.ready.set()
            return
        self.unanswered.popleft()
        for queued, value in zip(batch, values, strict=True):
            queued.results.put(queued.position, value or None)
        self._on_answer()

    def _work(self, batch: Sequence[_QueuedJob]) -> Work:
        cached_parts, cached_keys = len(self.parts), len(self.keys)
        options = {id(queued.job.options): queued.job.options for queued in batch}
        indices = {key: index for index, key in enumerate(options)}
        tasks = [
            Task(
                queued.rest,
                [self.parts.setdefault(part, len(self.parts)) for part in queued.job.document.parts],
                indices[id(queued.job.options)],
                self.keys.setdefault(queued.job.private_key, len(self.keys)),
            )
            for queued in batch
        ]
        new_parts: list[Part] = []
        for part in islice(self.parts, cached_parts, None):
            self.cached_bytes += part.size
            new_parts.append(Part(msgspec.Raw(_encode(part.wire)), part.contexts, part.label))
        return Work(new_parts, list(islice(self.keys, cached_keys, None)), list(options.values()), tasks)
