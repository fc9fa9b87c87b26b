"""How one description of an operation becomes a method of both clients, blocking on one and awaited on the other."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from lapel.client.asking import Ask, PageAsk
from lapel.client.pages import AsyncPages, Pages

__all__ = ["Blocking", "Listing", "NotBlocking", "Operation"]

Result = TypeVar("Result")
Item = TypeVar("Item")
Parameters = ParamSpec("Parameters")
Owner = TypeVar("Owner", contravariant=True)


class Blocking(Protocol):
    """Whoever sends and waits."""

    def send(self, ask: Ask[Result]) -> Result:
        """Send it, again if need be, and give what it asked for."""
        ...


class NotBlocking(Protocol):
    """Whoever sends while others work."""

    async def asend(self, ask: Ask[Result]) -> Result:
        """Send it, again if need be, and give what it asked for."""
        ...


class Operation(Generic[Parameters, Result]):
    """Makes a method of what describes the request that it sends."""

    def __init__(self, describe: Callable[Concatenate[Owner, Parameters], Ask[Result]]) -> None:
        self._describe: Callable[..., Ask[Result]] = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[Parameters, Result]: ...
    @overload
    def __get__(self, client: NotBlocking, owner: type) -> Callable[Parameters, Awaitable[Result]]: ...
    def __get__(
        self, client: Blocking | NotBlocking | None, owner: type
    ) -> Self | Callable[Parameters, Result] | Callable[Parameters, Awaitable[Result]]:
        if client is None:
            return self
        send = client.asend if hasattr(client, "asend") else client.send

        @functools.wraps(self._describe)
        def method(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result | Awaitable[Result]:
            return send(self._describe(client, *args, **kwargs))

        return method  # type: ignore[return-value]  # which of the two, the client's own type says


class Listing(Generic[Parameters, Item]):
    """Makes a method that gives an iterator of what describes a list."""

    def __init__(self, describe: Callable[Concatenate[Owner, Parameters], PageAsk[Item]]) -> None:
        self._describe: Callable[..., PageAsk[Item]] = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[Parameters, Pages[Item]]: ...
    @overload
    def __get__(self, client: NotBlocking, owner: type) -> Callable[Parameters, AsyncPages[Item]]: ...
    def __get__(
        self, client: Blocking | NotBlocking | None, owner: type
    ) -> Self | Callable[Parameters, Pages[Item]] | Callable[Parameters, AsyncPages[Item]]:
        if client is None:
            return self

        @functools.wraps(self._describe)
        def method(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Pages[Item] | AsyncPages[Item]:
            ask = self._describe(client, *args, **kwargs)
            return AsyncPages(ask, client.asend) if hasattr(client, "asend") else Pages(ask, client.send)

        return method  # type: ignore[return-value]  # which of the two, the client's own type says
