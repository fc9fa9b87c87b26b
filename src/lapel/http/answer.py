"""An answer whose bytes are known: sent as it is, without what a framework's response does for the general case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final

from litestar.types import Receive, Scope, Send

__all__ = ["PUBLIC", "Answer", "StreamedAnswer"]

PUBLIC: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "ETag, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id",
        "cross-origin-resource-policy": "cross-origin",
    }
)
"""Header fields of what anybody may read, from a page of any origin."""


class Answer:
    """One complete HTTP response, as an ASGI application.

    Args:
        headers: further header fields, names in lower case, values in Latin-1.
    """

    __slots__ = ("body", "headers", "status_code")

    def __init__(
        self, body: bytes, *, media_type: str, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.body = body
        self.status_code = status_code
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()]
        if status_code != 304:
            if media_type.startswith("text/"):
                media_type += "; charset=utf-8"
            self.headers.append((b"content-type", media_type.encode("latin-1")))
            self.headers.append((b"content-length", b"%d" % len(body)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class StreamedAnswer(Answer):
    """A response that is made while it is sent. What fails half-way cuts it off, so that nobody takes it for whole.

    Args:
        parts: of the body; asked for no faster than the client reads, and no more once it has gone.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: AsyncIterator[bytes], *, media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(b"", media_type=media_type, headers=headers)
        self.headers.pop()  # the length, which nobody knows
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.headers})
        gone = asyncio.create_task(_gone(receive))
        try:
            async for part in self._parts:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    """Returns when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
