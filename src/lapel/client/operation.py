"""Descriptors that turn one description of an operation into a method of both clients, blocking and asynchronous."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from lapel.client.pages import AsyncPages, Pages
from lapel.client.requests import ListRequest, Request

__all__ = ["AsyncSender", "Listing", "Operation", "Sender"]

Result = TypeVar("Result")
Item = TypeVar("Item")
Parameters = ParamSpec("Parameters")
Owner = TypeVar("Owner", contravariant=True)


class Sender(Protocol):
    """A blocking client."""

    def send(self, request: Request[Result]) -> Result:
        """Send the request, again if necessary, and return its result."""
        ...


class AsyncSender(Protocol):
    """An asynchronous client."""

    async def asend(self, request: Request[Result]) -> Result:
        """Send the request, again if necessary, and return its result."""
        ...


class Operation(Generic[Parameters, Result]):
    """Makes a method of a function that describes a request: the method sends it and returns its result."""

    def __init__(self, describe: Callable[Concatenate[Owner, Parameters], Request[Result]]) -> None:
        self._describe: Callable[..., Request[Result]] = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Sender, owner: type) -> Callable[Parameters, Result]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[Parameters, Awaitable[Result]]: ...
    def __get__(
        self, client: Sender | AsyncSender | None, owner: type
    ) -> Self | Callable[Parameters, Result] | Callable[Parameters, Awaitable[Result]]:
        if client is None:
            return self
        send = client.asend if hasattr(client, "asend") else client.send

        @functools.wraps(self._describe)
        def method(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result | Awaitable[Result]:
            return send(self._describe(client, *args, **kwargs))

        return method  # type: ignore[return-value]  # which of the two, the client's own type says


class Listing(Generic[Parameters, Item]):
    """Makes a method of a function that describes a list: the method returns an iterator over the list."""

    def __init__(self, describe: Callable[Concatenate[Owner, Parameters], ListRequest[Item]]) -> None:
        self._describe: Callable[..., ListRequest[Item]] = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Sender, owner: type) -> Callable[Parameters, Pages[Item]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[Parameters, AsyncPages[Item]]: ...
    def __get__(
        self, client: Sender | AsyncSender | None, owner: type
    ) -> Self | Callable[Parameters, Pages[Item]] | Callable[Parameters, AsyncPages[Item]]:
        if client is None:
            return self

        @functools.wraps(self._describe)
        def method(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Pages[Item] | AsyncPages[Item]:
            request = self._describe(client, *args, **kwargs)
            return AsyncPages(request, client.asend) if hasattr(client, "asend") else Pages(request, client.send)

        return method  # type: ignore[return-value]  # which of the two, the client's own type says
