"""Requests with many items: read a body that is an array, and answer item by item unless it is all or nothing.

In both kinds of answer a problem's pointers begin with the item's index in the body, such as ``/17/recipient``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from msgspec import Raw, Struct

from lapel.errors import InvalidInput, LapelError, TooLarge
from lapel.http.answer import Answer, json_answer
from lapel.http.body import read_body
from lapel.http.call import Call, only_queries
from lapel.http.errors import MalformedRequest
from lapel.http.problems import problem_of
from lapel.openbadges.problems import Problems, error_at
from lapel.services.answers import FailedItem

__all__ = ["ATOMIC", "MAX_BYTES", "is_atomic", "itemised", "read_items", "readable"]

Shape = TypeVar("Shape")

MAX_BYTES: Final = 8 * 1024 * 1024
"""The largest body with many items: the ``request_max_body_size`` of such a route."""
_MAX_PARTS: Final = 500_000
"""The maximum number of members and items of all the items together."""
_CHUNK: Final = 50
"""How many items are read before other requests get their turn."""

ATOMIC: Final = {"atomic": "`true`, the default: all or nothing. `false`: each item on its own."}
"""The query parameter of such a route, and its meaning."""


def is_atomic(request: Call) -> bool:
    """Return whether the caller wants all or nothing, which is the default.

    Raises:
        MalformedRequest: `atomic` is neither true nor false, or there is another query parameter.
    """
    only_queries(request, "atomic")
    text = request.query_params.get("atomic", "true")
    if text not in ("true", "false"):
        raise MalformedRequest(f"atomic must be true or false, not {text[:40]!r}.")
    return text == "true"


async def read_items(request: Call, shape: type[Shape], *, max_items: int) -> dict[str, Shape | InvalidInput]:
    """Decode every item of the body as a `shape`. Other requests get their turn meanwhile.

    Returns:
        The item, or what is wrong with it, by its pointer, such as ``/17``.

    Raises:
        UnsupportedMediaType, MalformedRequest, InvalidInput: the body is not a JSON array, or it is empty.
        TooLarge: it has more than `max_items` items, or too many members.
    """
    items = await request.read(list[Raw], max_parts=_MAX_PARTS)
    if not items:
        problems = Problems()
        problems.add("", "must have at least one item", "empty")
        problems.raise_any()
    if len(items) > max_items:
        raise TooLarge(
            f"There may be at most {max_items:,} at a time, not {len(items):,}.", hint="Send them in several requests."
        )
    read: dict[str, Shape | InvalidInput] = {}
    for number, item in enumerate(items):
        pointer = f"/{number}"
        read[pointer] = _read_item(bytes(item), shape, pointer)
        # To find all that is wrong with an item may take a hundred times as long as to read it.
        if isinstance(read[pointer], InvalidInput) or number % _CHUNK == 0:
            await asyncio.sleep(0)
    return read


def readable(items: Mapping[str, Shape | InvalidInput], *, atomic: bool) -> dict[str, Shape]:
    """Return the items that could be read.

    Raises:
        InvalidInput: `atomic`, and some could not be read; it has the problems of all of them.
    """
    problems, read = Problems(), dict[str, Shape]()
    for pointer, item in items.items():
        if isinstance(item, InvalidInput):
            problems.include("", item)
        else:
            read[pointer] = item
    if atomic:
        problems.raise_any()
    return read


def itemised(request: Call, outcomes: Iterable[Struct | LapelError], *, status_code: int = 200) -> Answer:
    """Answer ``{"items": […], "failed": number}``: in the body's order each item's outcome, or a `FailedItem`.

    Raises:
        LapelError: the first of `outcomes` that is a failure of the server (5xx) and not of its item.
    """
    base = request.services.addresses.base
    items: list[Struct] = []
    failed = 0
    for outcome in outcomes:
        if isinstance(outcome, LapelError):
            failed += 1
            item = FailedItem(problem_of(outcome, base=base))
            if item.problem.status >= 500:
                raise outcome
            items.append(item)
        else:
            items.append(outcome)
    return json_answer({"items": items, "failed": failed}, status_code=status_code)


def _read_item(item: bytes, shape: type[Shape], pointer: str) -> Shape | InvalidInput:
    try:
        return read_body(item, shape)
    except InvalidInput as error:
        return error_at(pointer, error)
