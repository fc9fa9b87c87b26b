"""Reads whole lists of a database, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Final, Protocol, TypeVar
from uuid import UUID

from lapel.database.repositories.base import Identified

__all__ = ["all_pages"]

_PAGE: Final = 500

Entity = TypeVar("Entity", bound=Identified, covariant=True)


class _ReadPage(Protocol[Entity]):
    def __call__(self, *, before: UUID | None, limit: int) -> Awaitable[Sequence[Entity]]: ...


async def all_pages(read_page: _ReadPage[Entity]) -> AsyncIterator[Entity]:
    """Yield the entities of all pages of a list, newest first."""
    before = None
    while page := await read_page(before=before, limit=_PAGE):
        for entity in page:
            yield entity
        before = page[-1].id
