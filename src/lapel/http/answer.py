"""HTTP responses that are sent as they are, without the work that a framework's response does for the general case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final

from litestar.types import Receive, Scope, Send
from msgspec import json

__all__ = ["NO_STORE", "PUBLIC", "Answer", "StreamedAnswer", "json_answer"]

PUBLIC: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "ETag, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id",
        "cross-origin-resource-policy": "cross-origin",
    }
)
"""Header fields of public answers, which a page of any origin may read."""

NO_STORE: Final[Mapping[str, str]] = MappingProxyType({"cache-control": "no-store"})
"""The header field of an answer that is for one caller, or for one moment."""


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

    def to_asgi_response(self, **_: object) -> Answer:
        """Return the answer itself, to Litestar, which calls this on what an exception handler returns."""
        return self


def json_answer(value: object, *, status_code: int = 200) -> Answer:
    """Return an answer with the value as JSON, which no cache may store."""
    return Answer(json.encode(value), media_type="application/json", status_code=status_code, headers=NO_STORE)


class StreamedAnswer(Answer):
    """A response whose body is produced while it is sent. An error half-way aborts it, so that the client notices.

    Args:
        parts: the parts of the body. They are read no faster than the client receives them, and not any more once the
            client has disconnected.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: AsyncIterator[bytes], *, media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(b"", media_type=media_type, headers=headers)
        self.headers.pop()  # Content-Length: it is not known yet
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.headers})
        disconnected = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            async for part in self._parts:
                if disconnected.done():
                    return
                await send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            disconnected.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
