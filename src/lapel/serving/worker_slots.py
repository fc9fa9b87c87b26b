"""Memory that the processes of one server share: a slot for each, in which it publishes its metrics.

The supervisor allocates the memory before it starts the others. Whatever a process has shown on ``/metrics`` is in its
slot, so that the sums never decrease when it ends, however it ends.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lapel.serving.draining import DrainingServer

__all__ = ["WorkerSlot", "WorkerSlots"]

_HEAD: Final = struct.Struct("=QBxxxxxxxII")  # how often published, whether ready, the lengths of both copies
_MAX_BYTES: Final = 2 * 1024 * 1024
_SLOT_BYTES: Final = _HEAD.size + 2 * _MAX_BYTES
_ANSWER_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.002


class WorkerSlots:
    """A slot for each of a number of processes, and one more for all that have ended.

    Attributes:
        ended: the number of that last slot.
        requests: for each process the pipe on which it is asked to publish.
    """

    def __init__(self, count: int) -> None:
        self.ended = count
        self._memory = mmap.mmap(-1, _SLOT_BYTES * (count + 1))  # pages that are never written to take no memory
        self.requests = [os.pipe() for _ in range(count)]
        for descriptor in (end for pipe in self.requests for end in pipe):
            os.set_blocking(descriptor, False)

    def close(self) -> None:
        """Release the memory and the pipes."""
        for descriptor in (end for pipe in self.requests for end in pipe):
            os.close(descriptor)
        self._memory.close()

    def set_ready(self, number: int, ready: bool) -> None:
        """Set whether the slot's process serves."""
        self._memory[_SLOT_BYTES * number + 8] = ready

    def ready(self, number: int) -> bool:
        """Return whether the slot's process serves."""
        return bool(self._memory[_SLOT_BYTES * number + 8])

    def published(self, number: int) -> int:
        """Return how often the slot's process and its predecessors have published."""
        return self._head(number)[0]

    def publish(self, number: int, content: bytes) -> None:
        """Replace the content of a slot; content over 2 MiB counts as empty. Only one process at a time may do so."""
        if len(content) > _MAX_BYTES:
            content = b""
        base = _SLOT_BYTES * number
        count, ready, *lengths = self._head(number)
        copy = (count + 1) % 2  # the other copy stays readable, and is intact if this process is killed now
        start = base + _HEAD.size + copy * _MAX_BYTES
        self._memory[start : start + len(content)] = content
        lengths[copy] = len(content)
        _HEAD.pack_into(self._memory, base, count, ready, *lengths)
        struct.pack_into("=Q", self._memory, base, count + 1)

    def read(self, number: int) -> bytes:
        """Return the latest content of a slot; empty if there is none."""
        while True:
            count, _, *lengths = self._head(number)
            start = _SLOT_BYTES * number + _HEAD.size + count % 2 * _MAX_BYTES
            content = bytes(self._memory[start : start + lengths[count % 2]])
            if self.published(number) == count:  # otherwise it may have been overwritten while it was read
                return content

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Return the context for moving counts to the last slot; `read_all` does not return a half-done move."""
        self.set_ready(self.ended, True)
        try:
            yield
        finally:
            self.set_ready(self.ended, False)

    def read_all(self) -> list[bytes] | None:
        """Return the content of every slot that has any; None while counts are being moved."""
        before = self.published(self.ended)
        contents = [content for number in range(self.ended + 1) if (content := self.read(number))]
        return None if self.ready(self.ended) or self.published(self.ended) != before else contents

    def request(self, number: int) -> None:
        """Ask the slot's process to publish."""
        with suppress(BlockingIOError):  # it has been asked often enough
            os.write(self.requests[number][1], b"!")

    def _head(self, number: int) -> tuple[int, int, int, int]:
        count, ready, first_length, second_length = _HEAD.unpack_from(self._memory, _SLOT_BYTES * number)
        return count, ready, first_length, second_length


class WorkerSlot:
    """The slot of this process.

    Args:
        lifeline: a file descriptor that becomes readable when the supervisor has ended.
    """

    def __init__(self, slots: WorkerSlots, number: int, *, lifeline: int) -> None:
        self.number = number
        self._slots = slots
        self._lifeline = lifeline

    @contextmanager
    def occupied(self, server: DrainingServer, measure: Callable[[], bytes]) -> Iterator[None]:
        """Publish what `measure` returns on request and at the end; shut `server` down if the supervisor has ended."""
        loop = asyncio.get_running_loop()

        def on_supervisor_ended() -> None:
            loop.remove_reader(self._lifeline)
            server.handle_exit(0, None)

        def publish() -> None:
            with suppress(BlockingIOError):
                os.read(requests, 4096)
            self._slots.publish(self.number, measure())

        requests = self._slots.requests[self.number][0]
        loop.add_reader(self._lifeline, on_supervisor_ended)
        loop.add_reader(requests, publish)
        try:
            yield
        finally:
            publish()

    def set_ready(self, ready: bool) -> None:
        """Set whether this process serves."""
        self._slots.set_ready(self.number, ready)

    async def measured(self, own: bytes) -> list[bytes]:
        """Return the metrics of every process, including those that have ended (`lapel.http.metrics.Peers`).

        Args:
            own: the metrics of this process.
        """
        slots = self._slots
        others = [number for number in range(slots.ended) if number != self.number and slots.ready(number)]
        before = {number: slots.published(number) for number in others}
        for number in others:
            slots.request(number)
        slots.publish(self.number, own)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:  # polling, because another process cannot set an event in this one
            await asyncio.sleep(_POLL_SECONDS)
            missing = any(slots.published(number) == before[number] for number in others)
            if (not missing or time.monotonic() > deadline) and (contents := slots.read_all()) is not None:
                return contents
