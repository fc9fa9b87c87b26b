"""One page of a list, newest first, or in the order of names or moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from lapel.domain.clock import from_milliseconds, milliseconds
from lapel.domain.listing import fold_name

__all__ = [
    "DEFAULT_PAGE",
    "LARGEST_PAGE",
    "Page",
    "moment_key",
    "moment_of",
    "name_after",
    "name_key",
    "page_of",
]

DEFAULT_PAGE = 20
LARGEST_PAGE = 100


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Item = TypeVar("Item", covariant=True)
Entity = TypeVar("Entity", bound=_Identified)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list.

    Attributes:
        next: what to pass as `before` to get the following page; None at the end.
        key: what to pass as `key` beside it, where the list is in another order than that of ids.
    """

    items: Sequence[Item]
    next: UUID | None
    key: bytes = b""


def page_of(found: Sequence[Entity], *, limit: int, key: Callable[[Entity], bytes] | None = None) -> Page[Entity]:
    """The page, where one more than `limit` was asked for: that one says whether there is a following page.

    Args:
        key: of an item, by what the list is in order; unless it is by ids.
    """
    items = found[:limit]
    if len(found) <= limit:
        return Page(items, None)
    return Page(items, items[-1].id, b"" if key is None else key(items[-1]))


def name_key(named: _Named) -> bytes:
    """The `key` of an item of a list in the order of names."""
    return fold_name(named.name).encode()


def name_after(key: bytes, before: UUID | None) -> tuple[str, UUID] | None:
    """What `name_key` was given, and the id beside it; None for the first page."""
    return None if before is None else (key.decode(), before)


def moment_key(moment: datetime) -> bytes:
    """The `key` of a moment."""
    return milliseconds(moment).to_bytes(8, "big", signed=True)


def moment_of(key: bytes) -> datetime | None:
    """What `moment_key` was given; None for the first page."""
    return from_milliseconds(int.from_bytes(key, "big", signed=True)) if key else None
