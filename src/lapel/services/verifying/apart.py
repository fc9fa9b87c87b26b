"""Work on what strangers send that takes long, away from the event loop.

All of it is done in one thread. Several would not be quicker, and each of them may keep the interpreter to itself for
a tenth of a second while it reads; the event loop would wait for all of them, again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from lapel.domain.json import JsonObject, JsonValue
from lapel.services.verifying.members import as_list

__all__ = ["LARGE_TEXT", "LARGE_VALUES", "apart", "in_thread", "is_large"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

LARGE_TEXT: Final = 64 * 1024
"""Characters or bytes from which on they are read in the thread: a stranger can make a text that takes a second."""
LARGE_VALUES: Final = 2_000
"""From here on the work takes long enough, some 20 milliseconds, to be moved away from the event loop."""

_THREAD: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading")


async def in_thread(work: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Do the work in the thread."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(work, *args, **kwargs))


async def apart(document: JsonObject, work: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Do some work on a document: at once, or in the thread if the document is large."""
    if not is_large(document):
        return work(*args, **kwargs)
    return await in_thread(work, *args, **kwargs)


def is_large(document: JsonObject) -> bool:
    """Whether it has many values."""
    waiting: list[JsonValue] = [document]
    count = 0
    while waiting and count < LARGE_VALUES:
        item = waiting.pop()
        count += 1
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(as_list(item))
    return bool(waiting)
