"""Sign beside the server: a process of our own canonicalises and signs what comes at once, on another processor.

Python runs one thread at a time, and canonicalising and signing take a third of what issuing a credential costs. All
that is asked for in one turn of the event loop is sent together. Nothing depends on the process: what it cannot do, or
does not do in time, and what comes alone, the caller does himself.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Sequence
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
_MOST_IN_FRAME: Final = 32
_MOST_FRAMES: Final = 2
"""One is being worked on while the next one lies ready."""
_LARGEST_ANSWER: Final = 1024 * 1024

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode

_Answer = asyncio.Future[bytes | None]
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
        self._ready = False
        self._running: asyncio.Task[None] | None = None
        self._look: asyncio.TimerHandle | None = None
        self._send_is_due = False
        self._closed = False
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The process that is ready to sign; None while there is none."""
        return self._process.pid if self._process is not None and self._ready else None

    async def sign(self, reduced: Reduced, *, options_digest: bytes, private_key: bytes) -> bytes | None:
        """The Ed25519 signature, 64 bytes, over both digests; None: sign it yourself.

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
        if not self._send_is_due:
            self._send_is_due = True
            loop.call_soon(self._send)
        return await answer

    async def close(self) -> None:
        """End the process; who waits is told to sign himself."""
        self._closed = True
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        self._end()

    def _send(self) -> None:
        self._send_is_due = False
        process = self._process
        if not self._ready or process is None:
            self._refuse_waiting()
            self._start_if_due()
        elif (
            process.stdin is None or process.stdin.is_closing() or len(self._parts) + len(self._keys) > self._most_known
        ):
            self._end()
        elif not self._frames and len(self._waiting) < _WORTH_SENDING:
            self._refuse_waiting()
        else:
            while self._waiting and len(self._frames) < _MOST_FRAMES:
                batch, self._waiting = self._waiting[:_MOST_IN_FRAME], self._waiting[_MOST_IN_FRAME:]
                process.stdin.write(frame(self._work(batch)))
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
        with suppress(OSError, EOFError, TimeoutError, ValueError, IndexError, msgspec.DecodeError):
            process = self._process = await start_worker(_WORKER, limit=_LARGEST_ANSWER)
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await self._read(process)
                self._parts, self._keys, self._ready = {}, {}, True
                while True:
                    self._take(await self._read(process))
            finally:
                self._ready, self._process = False, None
                with suppress(ProcessLookupError):
                    process.kill()
                await process.communicate()  # reads what is left, so that the pipes are closed too

    @staticmethod
    async def _read(process: Process) -> list[bytes]:
        assert process.stdout is not None
        length = await process.stdout.readexactly(LENGTH_BYTES)
        return _decode(await process.stdout.readexactly(int.from_bytes(length, "big")))

    def _take(self, signatures: Sequence[bytes]) -> None:
        answers = self._frames.pop(0)
        for answer, signature in zip(answers, signatures, strict=True):
            if not answer.done():
                answer.set_result(signature or None)
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
