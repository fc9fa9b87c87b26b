"""Identifiers: time-ordered UUIDs (RFC 9562, version 7) and the forms in which a caller may write one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from lapel.domain.clock import milliseconds
from lapel.errors import InvalidInput

__all__ = ["LAST_ID", "NIL_ID", "IdSource", "first_id_at", "id_text", "parse_id", "uuid7_source"]

IdSource = Callable[[], UUID]
"""Returns a new identifier at each call, which sorts after the earlier ones of the same process."""

NIL_ID = UUID(int=0)
LAST_ID = UUID(int=(1 << 128) - 1)

_URN = "urn:uuid:"

id_text: Final[Callable[[UUID], str]] = msgspec.to_builtins
"""Equivalent to ``str`` of a UUID in a fifth of the time, which counts when a credential is issued."""


def parse_id(text: str) -> UUID:
    """Parse a UUID, either bare (``018f…``) or as a URN (``urn:uuid:018f…``).

    Raises:
        InvalidInput: `text` is neither.
    """
    bare = text[len(_URN) :] if text[: len(_URN)].lower() == _URN else text
    if len(bare) == 36:
        try:
            return msgspec.convert(bare, UUID)
        except msgspec.ValidationError:
            pass
    raise InvalidInput(f"{text[:80]!r} is not an identifier.", hint="Use a UUID, bare or as urn:uuid:….")


def first_id_at(moment: datetime, *, earlier: timedelta = timedelta(), later: timedelta = timedelta()) -> UUID:
    """Return an identifier that sorts after all those created before `moment`, and before all others.

    Args:
        earlier, later: shift the moment; an overflow is clamped.
    """
    shift = (later - earlier) // timedelta(milliseconds=1)
    return UUID(int=min(max(milliseconds(moment) + shift, 0), (1 << 48) - 1) << 80)


def uuid7_source(
    *,
    milliseconds: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    randomness: Callable[[int], bytes] = os.urandom,
) -> IdSource:
    """Return a source of version 7 UUIDs, strictly increasing within the process.

    Layout (RFC 9562, 5.7 and 6.2 method 1): 48 bits of Unix milliseconds, a 12-bit counter that starts at a random
    value in its lower half at each new millisecond, 62 random bits. If the clock steps back, the last millisecond
    is used again.
    """
    lock = threading.Lock()
    last = 0
    counter = 0

    def new_id() -> UUID:
        nonlocal last, counter
        noise = int.from_bytes(randomness(10), "big")
        now = milliseconds()
        with lock:
            if now > last:
                last, counter = now, (noise >> 62) & 0x7FF
            else:
                counter += 1
                if counter > 0xFFF:
                    last, counter = last + 1, (noise >> 62) & 0x7FF
            value = (last << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | (noise & ((1 << 62) - 1))
        return msgspec.convert(value.to_bytes(16, "big"), UUID)

    return new_id
