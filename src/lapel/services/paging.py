"""One page of a list, ordered newest first, by name or by time; and all pages of one, newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar
from uuid import UUID

from lapel.domain.clock import from_milliseconds, milliseconds
from lapel.domain.listing import fold_name

__all__ = [
    "DEFAULT_PAGE",
    "MAX_PAGE_SIZE",
    "Page",
    "all_pages",
    "moment_key",
    "moment_of",
    "name_after",
    "name_key",
    "page_of",
]

DEFAULT_PAGE = 20
MAX_PAGE_SIZE = 100
_READ_AT_ONCE: Final = 500


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Item = TypeVar("Item", covariant=True)
Entity = TypeVar("Entity", bound=_Identified)
Listed = TypeVar("Listed", bound=_Identified, covariant=True)


class _ReadPage(Protocol[Listed]):
    def __call__(self, *, before: UUID | None, limit: int) -> Awaitable[Sequence[Listed]]: ...


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list.

    Attributes:
        next: the `before` that gets the following page; None on the last page.
        key: the `key` to pass with it, if the list is not ordered by id.
    """

    items: Sequence[Item]
    next: UUID | None
    key: bytes = b""


def page_of(rows: Sequence[Entity], *, limit: int, key: Callable[[Entity], bytes] | None = None) -> Page[Entity]:
    """Return the page from `limit` + 1 requested rows; the extra row shows that a page follows.

    Args:
        key: returns an item's sort key, if the list is not ordered by id.
    """
    items = rows[:limit]
    if len(rows) <= limit:
        return Page(items, None)
    return Page(items, items[-1].id, b"" if key is None else key(items[-1]))


async def all_pages(read_page: _ReadPage[Listed]) -> AsyncIterator[Listed]:
    """Yield the entities of all pages of a list, newest first, with one page of them in memory."""
    before = None
    while page := await read_page(before=before, limit=_READ_AT_ONCE):
        for entity in page:
            yield entity
        before = page[-1].id


def name_key(named: _Named) -> bytes:
    """Return the `key` of an item of a list that is ordered by name."""
    return fold_name(named.name).encode()


def name_after(key: bytes, before: UUID | None) -> tuple[str, UUID] | None:
    """Return the folded name in `key` and the id after which a page begins; None for the first page."""
    return None if before is None else (key.decode(), before)


def moment_key(moment: datetime) -> bytes:
    """Return the `key` of an item of a list that is ordered by time."""
    return milliseconds(moment).to_bytes(8, "big", signed=True)


def moment_of(key: bytes) -> datetime | None:
    """Return the time in `key`; None for the first page."""
    return from_milliseconds(int.from_bytes(key, "big", signed=True)) if key else None
