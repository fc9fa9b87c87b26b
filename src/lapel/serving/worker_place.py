"""What the processes of one server share: for each a place, where it leaves what it has counted.

Places are memory that the first process makes before it starts the others. What one of them has shown to anybody is
in its place, so that the sums never fall when it ends, however it ends.
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

__all__ = ["WorkerPlace", "WorkerPlaces"]

_HEAD: Final = struct.Struct("=QBxxxxxxxII")  # how often published, ready, the length of either copy
_LARGEST: Final = 2 * 1024 * 1024
_SIZE: Final = _HEAD.size + 2 * _LARGEST
_ASK_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.002


class WorkerPlaces:
    """A place for each of so many processes, and one for all that have ended.

    Attributes:
        gone: the number of the last one.
    """

    def __init__(self, count: int) -> None:
        self.gone = count
        self._memory = mmap.mmap(-1, _SIZE * (count + 1))  # pages that nobody writes to take no memory
        self.bells = [os.pipe() for _ in range(count)]
        for end in (end for bell in self.bells for end in bell):
            os.set_blocking(end, False)

    def close(self) -> None:
        """Give everything back."""
        for end in (end for bell in self.bells for end in bell):
            os.close(end)
        self._memory.close()

    def set_ready(self, number: int, ready: bool) -> None:
        """Whether the process there serves."""
        self._memory[_SIZE * number + 8] = ready

    def ready(self, number: int) -> bool:
        """Whether the process there serves."""
        return bool(self._memory[_SIZE * number + 8])

    def published(self, number: int) -> int:
        """How often the process there, and those that were there before it, have published."""
        return self._head(number)[0]

    def publish(self, number: int, content: bytes) -> None:
        """Leave this there, in place of what was there. Only one process at a time may do so."""
        if len(content) > _LARGEST:
            content = b""
        base = _SIZE * number
        count, ready, *lengths = self._head(number)
        copy = (count + 1) % 2  # the other one is read meanwhile, and is whole if this process is killed now
        start = base + _HEAD.size + copy * _LARGEST
        self._memory[start : start + len(content)] = content
        lengths[copy] = len(content)
        _HEAD.pack_into(self._memory, base, count, ready, *lengths)
        struct.pack_into("=Q", self._memory, base, count + 1)

    def read(self, number: int) -> bytes:
        """What was left there last; nothing if nothing was."""
        while True:
            count, _, *lengths = self._head(number)
            start = _SIZE * number + _HEAD.size + count % 2 * _LARGEST
            content = bytes(self._memory[start : start + lengths[count % 2]])
            if self.published(number) - count < 1:
                return content

    @contextmanager
    def moving(self) -> Iterator[None]:
        """While counts are moved to the last place, which nobody may see half done."""
        self.set_ready(self.gone, True)
        try:
            yield
        finally:
            self.set_ready(self.gone, False)

    def read_all(self) -> list[bytes] | None:
        """What was left in every place; None while something is moved."""
        before = self.published(self.gone)
        found = [content for number in range(self.gone + 1) if (content := self.read(number))]
        return None if self.ready(self.gone) or self.published(self.gone) != before else found

    def ring(self, number: int) -> None:
        """Ask the process there to publish."""
        with suppress(BlockingIOError):  # it has been asked often enough
            os.write(self.bells[number][1], b"!")

    def _head(self, number: int) -> tuple[int, int, int, int]:
        count, ready, one, other = _HEAD.unpack_from(self._memory, _SIZE * number)
        return count, ready, one, other


class WorkerPlace:
    """The place of this process.

    Args:
        lifeline: can be read when the process that started this one has ended.
    """

    def __init__(self, places: WorkerPlaces, number: int, *, lifeline: int) -> None:
        self.number = number
        self._places = places
        self._lifeline = lifeline

    @contextmanager
    def occupied(self, server: DrainingServer, measure: Callable[[], bytes]) -> Iterator[None]:
        """Publish what `measure` tells when asked, and at the end; end the server when nobody looks after us."""
        loop = asyncio.get_running_loop()

        def abandoned() -> None:
            loop.remove_reader(self._lifeline)
            server.handle_exit(0, None)

        def asked() -> None:
            with suppress(BlockingIOError):
                os.read(bell, 4096)
            self._places.publish(self.number, measure())

        bell = self._places.bells[self.number][0]
        loop.add_reader(self._lifeline, abandoned)
        loop.add_reader(bell, asked)
        try:
            yield
        finally:
            asked()

    def serves(self, ready: bool) -> None:
        """Say whether requests are answered here."""
        self._places.set_ready(self.number, ready)

    async def measured(self, own: bytes) -> list[bytes]:
        """What every process has counted, those that have ended too.

        Args:
            own: what this one has.
        """
        places = self._places
        others = [number for number in range(places.gone) if number != self.number and places.ready(number)]
        before = {number: places.published(number) for number in others}
        for number in others:
            places.ring(number)
        places.publish(self.number, own)
        until = time.monotonic() + _ASK_SECONDS
        while True:  # another process can set no event of ours
            await asyncio.sleep(_LOOK_SECONDS)
            late = any(places.published(number) == before[number] for number in others)
            if (not late or time.monotonic() > until) and (found := places.read_all()) is not None:
                return found
