"""Lists that are read page by page, for the commands that show them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from uuid import UUID

    from lapel.services.paging import Page

__all__ = ["every_item"]

Item = TypeVar("Item", covariant=True)


class _ReadPage(Protocol[Item]):
    def __call__(self, *, before: UUID | None, limit: int) -> Awaitable[Page[Item]]: ...


async def every_item(read_page: _ReadPage[Item], *, most: int = sys.maxsize) -> AsyncIterator[Item]:
    """Yield the items of all pages of a list, with one page of them in memory.

    Args:
        most: how many items at most.
    """
    from lapel.services.paging import MAX_PAGE_SIZE

    before, remaining = None, most
    while remaining:
        page = await read_page(before=before, limit=min(remaining, MAX_PAGE_SIZE))
        for item in page.items:
            yield item
        if page.next is None:
            return
        before, remaining = page.next, remaining - len(page.items)
