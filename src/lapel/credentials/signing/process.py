"""Sign beside the server: a process of our own canonicalises and signs what comes at once, on another processor.

Python runs one thread at a time, and canonicalising, signing and writing take a third of what issuing costs. All
that is asked for in one turn of the event loop is sent together. Nothing depends on the process: what it cannot do, or
does not do in time, and what comes alone, the caller does itself.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple, cast

import msgspec
import structlog

from lapel.credentials.constant_parts import ConstantPart, ProofOptions, Reduced
from lapel.credentials.signing.worker import LENGTH_BYTES, Part, Task, Work, frame
from lapel.credentials.worker_process import start_worker

__all__ = ["SigningProcess", "ToSign"]

_log = structlog.get_logger("lapel.credentials")

_WORKER: Final = "lapel.credentials.signing.worker"
_START_SECONDS: Final = 30.0
_LONGEST_PAUSE: Final = 60.0
_WORTH_SENDING: Final = 3
"""So many that come at once are signed beside; fewer are sooner done here."""
_ENOUGH_FOR_FRAME: Final = 8
"""So many are sent before the turn of the loop is over: the process works while others are still being read."""
_MOST_IN_FRAME: Final = 32
"""Of a batch, each frame takes a turn of the loop."""
_MOST_LEARNED_BYTES: Final = 2 * 1024 * 1024  # as JSON; some thirty times as many in its memory
_MOST_FRAMES: Final = 8
"""Under way at a time: one is worked on, the others lie ready while this process is busy with something else."""
_MOST_BEFORE_ONE: Final = 128
"""Behind more than so many, a single document does not wait: batches would keep it for a tenth of a second."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


class ToSign(NamedTuple):
    """A document, and what to sign it with: `private_key` is Ed25519 (PKCS #8, DER)."""

    reduced: Reduced
    options: ProofOptions
    private_key: bytes


class _Answers:
    """Of those who asked together: what is known of each, and `all`, which is done when nothing is missing."""

    __slots__ = ("_missing", "all", "values")

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self.values: list[bytes | None] = [None] * count
        self.all: asyncio.Future[None] = loop.create_future()
        self._missing = count

    def put(self, number: int, value: bytes | None) -> None:
        self.values[number] = value
        self._missing -= 1
        if self._missing == 0 and not self.all.done():
            self.all.set_result(None)


class _Waiting(NamedTuple):
    """One that is to be sent, or was sent; its answer goes to place `number` of `answers`."""

    rest: msgspec.Raw
    wanted: ToSign
    answers: _Answers
    number: int


class SigningProcess:
    """A process that signs. It starts when several come at once, and anew when it has ended. `close` it.

    Args:
        answer_seconds: one that takes longer to answer is ended.
        pause_seconds: before it is started anew; doubled each time, up to a minute, until it has answered.
        most_known: parts and keys that it may know before it is ended, and another one begun that knows none.
    """

    def __init__(self, *, answer_seconds: float = 5.0, pause_seconds: float = 1.0, most_known: int = 4096) -> None:
        self._answer_seconds = answer_seconds
        self._first_pause = self._pause = pause_seconds
        self._most_known = most_known
        self._waiting: list[_Waiting] = []
        self._line: _Line | None = None
        self._process: Process | None = None
        self._running: asyncio.Task[None] | None = None
        self._look: asyncio.TimerHandle | None = None
        self._send_is_due = False
        self._closed = False
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The process that is ready to sign; None while there is none."""
        ready = self._line is not None and self._line.ready.is_set()
        return self._process.pid if self._process is not None and ready else None

    async def sign(self, wanted: Sequence[ToSign]) -> Sequence[bytes | None]:
        """The documents, signed with Ed25519 (`Reduced.signed`), in their order. None: sign it yourself."""
        loop = asyncio.get_running_loop()
        answers = _Answers(len(wanted), loop)
        if self._closed or not wanted or (len(wanted) < _WORTH_SENDING and self._queued > _MOST_BEFORE_ONE):
            return answers.values
        for number, one in enumerate(wanted):
            try:
                rest = msgspec.Raw(_encode(one.reduced.rest))
            except (OverflowError, RecursionError, TypeError, ValueError):  # whoever signs it says what is wrong
                answers.put(number, None)
            else:
                self._waiting.append(_Waiting(rest, one, answers, number))
        if len(self._waiting) >= _ENOUGH_FOR_FRAME:
            self._send()
        elif not self._send_is_due:
            self._send_is_due = True
            loop.call_soon(self._send_rest)
        await answers.all
        return answers.values

    @property
    def _queued(self) -> int:
        """How many are not signed yet."""
        line = self._line
        return len(self._waiting) + (0 if line is None else sum(map(len, line.unanswered)))

    async def close(self) -> None:
        """End the process; whatever waits is told to sign for itself."""
        self._closed = True
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        self._end()

    def _send_rest(self) -> None:
        self._send_is_due = False
        if self._waiting:
            self._send()

    def _send(self) -> None:
        line = self._line
        if line is None or not line.ready.is_set():
            if len(self._waiting) >= _WORTH_SENDING:
                self._start_if_due()
            self._refuse_waiting()
        elif len(line.parts) + len(line.keys) > self._most_known or line.learned_bytes > _MOST_LEARNED_BYTES:
            self._end()
        elif not line.unanswered and len(self._waiting) < _WORTH_SENDING:
            self._refuse_waiting()
        else:
            while self._waiting and len(line.unanswered) < _MOST_FRAMES:
                batch, self._waiting = self._waiting[:_MOST_IN_FRAME], self._waiting[_MOST_IN_FRAME:]
                try:
                    line.send(batch)
                except (OverflowError, RecursionError, TypeError, ValueError):
                    _refuse(batch)
                    self._end()  # what it was to learn is half counted
                    return
            if self._look is None:
                self._look_later(line)

    def _start_if_due(self) -> None:
        loop = asyncio.get_running_loop()
        if self._closed or self._running is not None or loop.time() < self._not_before:
            return
        self._running = loop.create_task(self._run())
        self._running.add_done_callback(self._has_ended)

    def _has_ended(self, running: asyncio.Task[None]) -> None:
        self._running = None
        self._not_before = running.get_loop().time() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._end()

    async def _run(self) -> None:
        ours, theirs = socket.socketpair()
        with suppress(OSError, TimeoutError), ours:
            with theirs:
                process = self._process = await start_worker(_WORKER, talks_over=theirs)
            try:
                line = self._line = _Line(answered=self._answered, broken=self._end)
                await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=ours)
                async with asyncio.timeout(_START_SECONDS):
                    await line.ready.wait()
                await process.wait()
            finally:
                self._end()
                await process.wait()
                self._process = None
        if not self._closed:
            _log.warning("the process that signs has ended", seconds_until_next=self._pause)

    def _answered(self) -> None:
        self._pause = self._first_pause
        if self._waiting:
            self._send()

    def _look_later(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        self._look = loop.call_later(self._answer_seconds, self._end_if_late, line, line.unanswered[0])

    def _end_if_late(self, line: _Line, first: Sequence[_Waiting]) -> None:
        self._look = None
        if line.unanswered and line.unanswered[0] is first:
            self._end()
        elif line.unanswered:
            self._look_later(line)

    def _end(self) -> None:
        """End the process, if it runs, and let every caller sign for itself."""
        line, self._line = self._line, None
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
        if line is not None:
            line.end()
        self._refuse_waiting()

    def _refuse_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        _refuse(waiting)


def _refuse(waiting: Sequence[_Waiting]) -> None:
    for one in waiting:
        one.answers.put(one.number, None)


class _Line(asyncio.Protocol):
    """The line to one process: what that knows, and what it has not answered. It ends with the process.

    So no answer of one process can ever be taken for another's.
    """

    def __init__(self, *, answered: Callable[[], None], broken: Callable[[], None]) -> None:
        self.ready = asyncio.Event()
        self.parts: dict[ConstantPart, int] = {}
        self.keys: dict[bytes, int] = {}
        self.unanswered: deque[Sequence[_Waiting]] = deque()
        self.learned_bytes = 0
        self._answered = answered
        self._broken = broken
        self._received: list[bytes] = []
        self._missing = LENGTH_BYTES
        self._is_over = False
        self._transport: asyncio.WriteTransport | None = None

    def send(self, batch: Sequence[_Waiting]) -> None:
        """Ask for these signatures, in one frame."""
        assert self._transport is not None
        self._transport.write(frame(self._work(batch)))
        self.unanswered.append(batch)

    def end(self) -> None:
        """Hear no more, and let those who wait for an answer sign themselves."""
        self._is_over = True
        self.ready.set()  # it never will be, and nobody is to wait for it
        if self._transport is not None:
            self._transport.abort()
        while self.unanswered:
            _refuse(self.unanswered.popleft())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one in all but its ancestry

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_over:
            self._broken()

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._missing -= len(data)
        if self._missing > 0:  # of a large answer: joined once, when it is whole
            return
        received = b"".join(self._received)
        while not self._is_over:
            length = received[:LENGTH_BYTES]
            end = LENGTH_BYTES + (int.from_bytes(length, "big") if len(length) == LENGTH_BYTES else 0)
            self._missing = end - len(received)
            if self._missing > 0:
                break
            message, received = received[LENGTH_BYTES:end], received[end:]
            self._take(message)
        self._received = [received]

    def _take(self, message: bytes) -> None:
        asked = self.unanswered[0] if self.unanswered else ()
        try:
            values = _decode(message)
        except msgspec.DecodeError:
            values = None
        if values is None or len(values) != len(asked) or bool(values) is not self.ready.is_set():
            self._broken()  # it is not itself any more
            return
        if not self.ready.is_set():
            self.ready.set()
            return
        self.unanswered.popleft()
        for one, value in zip(asked, values, strict=True):
            one.answers.put(one.number, value or None)
        self._answered()

    def _work(self, batch: Sequence[_Waiting]) -> Work:
        known_parts, known_keys = len(self.parts), len(self.keys)
        options = {id(each.wanted.options): each.wanted.options for each in batch}
        numbers = {key: number for number, key in enumerate(options)}
        tasks = [
            Task(
                rest,
                [self.parts.setdefault(part, len(self.parts)) for part in wanted.reduced.parts],
                numbers[id(wanted.options)],
                self.keys.setdefault(wanted.private_key, len(self.keys)),
            )
            for rest, wanted, _, _ in batch
        ]
        new_parts: list[Part] = []
        for part in islice(self.parts, known_parts, None):
            self.learned_bytes += part.size
            new_parts.append(Part(msgspec.Raw(_encode(part.wire)), part.contexts, part.label))
        return Work(new_parts, list(islice(self.keys, known_keys, None)), list(options.values()), tasks)
