"""Lists, page by page, as iterators: the next page is asked for when somebody wants it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from lapel.client.asking import Ask, Page, PageAsk

__all__ = ["AsyncPages", "Pages"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Pages(Generic[Item]):
    """Everything in a list, when iterated over; ``pages()`` gives it in pages."""

    ask: PageAsk[Item]
    send: Callable[[Ask[Page[Item]]], Page[Item]]

    def __iter__(self) -> Iterator[Item]:
        return (item for page in self.pages() for item in page.items)

    def pages(self) -> Iterator[Page[Item]]:
        """One page after another."""
        following: Ask[Page[Item]] | None = self.ask.first
        while following is not None:
            page = self.send(following)
            yield page
            following = self.ask.after(page)


@dataclass(frozen=True, slots=True)
class AsyncPages(Generic[Item]):
    """Everything in a list, when iterated over with ``async for``; ``pages()`` gives it in pages."""

    ask: PageAsk[Item]
    send: Callable[[Ask[Page[Item]]], Awaitable[Page[Item]]]

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[Item]]:
        """One page after another."""
        following: Ask[Page[Item]] | None = self.ask.first
        while following is not None:
            page = await self.send(following)
            yield page
            following = self.ask.after(page)
