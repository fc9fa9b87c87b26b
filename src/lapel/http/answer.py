"""An answer whose bytes are known: sent as it is, without what a framework's response does for the general case."""

from __future__ import annotations

from collections.abc import Mapping

from litestar.types import Receive, Scope, Send

__all__ = ["Answer"]


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
