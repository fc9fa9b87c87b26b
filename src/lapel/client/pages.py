"""Lists as iterators. Each page is requested when it is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from lapel.client.requests import ListRequest, Page, Request

__all__ = ["AsyncPages", "Pages"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Pages(Generic[Item]):
    """Iterates over the items of a list; `pages` iterates over its pages."""

    request: ListRequest[Item]
    send: Callable[[Request[Page[Item]]], Page[Item]]

    def __iter__(self) -> Iterator[Item]:
        return (item for page in self.pages() for item in page.items)

    def pages(self) -> Iterator[Page[Item]]:
        """Iterate over the pages."""
        next_request: Request[Page[Item]] | None = self.request.first
        while next_request is not None:
            page = self.send(next_request)
            yield page
            next_request = self.request.after(page)


@dataclass(frozen=True, slots=True)
class AsyncPages(Generic[Item]):
    """Iterates over the items of a list with ``async for``; `pages` iterates over its pages."""

    request: ListRequest[Item]
    send: Callable[[Request[Page[Item]]], Awaitable[Page[Item]]]

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[Item]]:
        """Iterate over the pages."""
        next_request: Request[Page[Item]] | None = self.request.first
        while next_request is not None:
            page = await self.send(next_request)
            yield page
            next_request = self.request.after(page)
