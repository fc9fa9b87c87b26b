"""Offload slow work on untrusted input from the event loop to a thread.

There is only one such thread. Several would not be quicker, because of the interpreter lock: each may hold it for a
tenth of a second while it reads, and the event loop would have to wait for all of them in turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list

__all__ = ["LARGE_TEXT", "LARGE_VALUES", "in_thread", "is_large", "offload_if_large", "offload_if_long"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Text = TypeVar("_Text", str, bytes)

LARGE_TEXT: Final = 64 * 1024
"""Texts of this many characters or bytes are read in the thread: a hostile text of that size may take a second."""
LARGE_VALUES: Final = 2_000
"""Documents with this many values are processed in the thread: it takes about 20 milliseconds."""

_THREAD: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading")


async def in_thread(work: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Run the function in the thread."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(work, *args, **kwargs))


async def offload_if_large(document: JsonObject, work: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Run a function on a document: in the thread if the document is large, else at once."""
    if not is_large(document):
        return work(*args, **kwargs)
    return await in_thread(work, *args, **kwargs)


async def offload_if_long(text: _Text, work: Callable[[_Text], _R]) -> _R:
    """Run a function on a text: in the thread if it has LARGE_TEXT characters or bytes, else at once."""
    return work(text) if len(text) < LARGE_TEXT else await in_thread(work, text)


def is_large(document: JsonObject) -> bool:
    """Return whether the document has more than LARGE_VALUES values."""
    pending: list[JsonValue] = [document]
    count = 0
    while pending and count < LARGE_VALUES:
        item = pending.pop()
        count += 1
        if isinstance(item, Mapping):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(as_list(item))
    return bool(pending)
