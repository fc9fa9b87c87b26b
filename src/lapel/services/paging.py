"""One page of a list, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

__all__ = ["DEFAULT_PAGE", "LARGEST_PAGE", "Page", "page_of"]

DEFAULT_PAGE = 20
LARGEST_PAGE = 100


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


Item = TypeVar("Item", covariant=True)
Entity = TypeVar("Entity", bound=_Identified)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list.

    Attributes:
        next: what to pass as `before` to get the following page; None at the end.
    """

    items: Sequence[Item]
    next: UUID | None


def page_of(found: Sequence[Entity], *, limit: int) -> Page[Entity]:
    """The page, where one more than `limit` was asked for: that one says whether there is a following page."""
    items = found[:limit]
    return Page(items, items[-1].id if len(found) > limit else None)
