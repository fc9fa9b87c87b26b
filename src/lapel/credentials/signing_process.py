"""Sign beside the server: a process of our own canonicalises and signs what comes at once, on another processor.

Python runs one thread at a time, and canonicalising and signing take a third of what issuing a credential costs. All
that is asked for in one turn of the event loop is sent together. Nothing depends on the process: what it cannot do, or
does not do in time, and what comes alone, the caller does himself.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

import msgspec

from lapel.credentials.constant_parts import ConstantPart, Reduced
from lapel.credentials.signing_worker import LENGTH_BYTES, Part, Task, Work, frame
from lapel.credentials.worker_process import start_worker

__all__ = ["SigningProcess"]

_WORKER: Final = "lapel.credentials.signing_worker"
_START_SECONDS: Final = 30.0
_LONGEST_PAUSE: Final = 60.0
_WORTH_SENDING: Final = 3
"""So many that come at once are signed beside; fewer are sooner done here."""
_ENOUGH_FOR_FRAME: Final = 8
"""So many are sent before the turn of the loop is over: the process works while others are still being read."""
_MOST_IN_FRAME: Final = 32
_MOST_FRAMES: Final = 2
"""One is being worked on while the next one lies ready."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[str]).decode

_Answer = asyncio.Future[str | None]
_Waiting = tuple[msgspec.Raw, Sequence[ConstantPart], bytes, bytes, _Answer]


class SigningProcess:
    """A process that signs. It starts when there is something to sign, and anew when it has ended. `close` it.

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
        self._frames: list[Sequence[_Answer]] = []  # what the process has not answered, oldest first
        self._parts: dict[ConstantPart, int] = {}
        self._keys: dict[bytes, int] = {}
        self._process: Process | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._ready = False
        self._running: asyncio.Task[None] | None = None
        self._starting: asyncio.Timeout | None = None
        self._look: asyncio.TimerHandle | None = None
        self._send_is_due = False
        self._closed = False
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The process that is ready to sign; None while there is none."""
        return self._process.pid if self._process is not None and self._ready else None

    async def sign(self, reduced: Reduced, *, options_digest: bytes, private_key: bytes) -> str | None:
        """The `proofValue`: an Ed25519 signature over both digests. None: sign it yourself.

        Args:
            options_digest: the SHA-256 of the proof's options.
            private_key: PKCS #8, DER.
        """
        if self._closed:
            return None
        try:
            rest = msgspec.Raw(_encode(reduced.rest))
        except (OverflowError, TypeError, ValueError):  # whoever signs it says what is wrong with it
            return None
        loop = asyncio.get_running_loop()
        answer: _Answer = loop.create_future()
        self._waiting.append((rest, reduced.parts, options_digest, private_key, answer))
        if self._ready and len(self._waiting) == _ENOUGH_FOR_FRAME:
            self._send()
        elif not self._send_is_due:
            self._send_is_due = True
            loop.call_soon(self._send_rest)
        return await answer

    async def close(self) -> None:
        """End the process; who waits is told to sign himself."""
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
        transport = self._transport
        if not self._ready or transport is None:
            self._refuse_waiting()
            self._start_if_due()
        elif transport.is_closing() or len(self._parts) + len(self._keys) > self._most_known:
            self._end()
        elif not self._frames and len(self._waiting) < _WORTH_SENDING:
            self._refuse_waiting()
        else:
            while self._waiting and len(self._frames) < _MOST_FRAMES:
                batch, self._waiting = self._waiting[:_MOST_IN_FRAME], self._waiting[_MOST_IN_FRAME:]
                transport.write(frame(self._work(batch)))
                self._frames.append([answer for *_, answer in batch])
            if self._look is None:
                self._look_later()

    def _work(self, batch: Sequence[_Waiting]) -> Work:
        known_parts, known_keys = len(self._parts), len(self._keys)
        tasks = [
            Task(
                rest,
                [self._parts.setdefault(part, len(self._parts)) for part in parts],
                options_digest,
                self._keys.setdefault(private_key, len(self._keys)),
            )
            for rest, parts, options_digest, private_key, _ in batch
        ]
        new_parts = [
            Part(msgspec.Raw(_encode(part.wire)), part.contexts, part.label)
            for part in islice(self._parts, known_parts, None)
        ]
        return Work(new_parts, list(islice(self._keys, known_keys, None)), tasks)

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
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with suppress(OSError, TimeoutError), ours:
            with theirs:
                process = self._process = await start_worker(_WORKER, talks_over=theirs)
            frames = _Frames(self._take)
            try:
                self._transport, _ = await loop.create_unix_connection(lambda: frames, sock=ours)
                async with asyncio.timeout(_START_SECONDS) as self._starting:
                    await process.wait()
            finally:
                self._ready, self._process = False, None
                if self._transport is not None:
                    self._transport.abort()
                    self._transport = None
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    def _take(self, message: bytes) -> None:
        """The process has answered."""
        if not self._ready:
            self._parts, self._keys, self._ready = {}, {}, True
            if self._starting is not None:
                self._starting.reschedule(None)  # from now on it may take its time
            return
        try:
            values = _decode(message)
            for answer, value in zip(self._frames.pop(0), values, strict=True):
                if not answer.done():
                    answer.set_result(value or None)
        except (msgspec.DecodeError, ValueError, IndexError):  # it is not itself any more
            self._end()
            return
        self._pause = self._first_pause
        if self._waiting:
            self._send()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._look = loop.call_later(self._answer_seconds, self._end_if_late, self._frames[0])

    def _end_if_late(self, first: Sequence[_Answer]) -> None:
        self._look = None
        if self._frames and self._frames[0] is first:
            self._end()
        elif self._frames:
            self._look_later()

    def _end(self) -> None:
        """End the process, if it runs, and let everybody sign himself."""
        self._ready = False
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
        frames, self._frames = self._frames, []
        for answers in frames:
            _refuse(answers)
        self._refuse_waiting()

    def _refuse_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        _refuse([answer for *_, answer in waiting])


def _refuse(answers: Sequence[_Answer]) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_result(None)


class _Frames(asyncio.Protocol):
    """Hands on every message that has come whole."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._received = b""

    def data_received(self, data: bytes) -> None:
        received = self._received + data
        while len(received) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(received[:LENGTH_BYTES], "big")
            if len(received) < end:
                break
            message, received = received[LENGTH_BYTES:end], received[end:]
            self._take(message)
        self._received = received
