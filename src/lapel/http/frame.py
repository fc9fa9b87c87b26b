"""What surrounds every request: its id, HEAD, cross-origin preflights, headers of every answer, counts and times."""

from __future__ import annotations

import itertools
import secrets
import time

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from lapel.domain.origin import Origin, origin
from lapel.http.routes.metrics import observe_request

__all__ = ["Frame"]

_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_PREFLIGHT = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    # Not Authorization: what a browser may do from another origin is what needs no key.
    (b"access-control-allow-headers", b"Accept, Content-Type, If-None-Match"),
    (b"access-control-max-age", b"86400"),
    (b"vary", b"Access-Control-Request-Method"),
]


class Frame:
    """The outermost ASGI application, around Litestar's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        # An id names a request in the log. It is no secret; a count is cheaper than randomness for each.
        self._prefix = secrets.token_hex(4)
        self._count = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and any(
            name == b"access-control-request-method" for name, _ in scope["headers"]
        ):
            await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        name = f"{self._prefix}{next(self._count):06x}"
        head = scope["method"] == "HEAD"
        if head:  # answered as GET, and the body dropped: every GET route has its HEAD, with the same headers
            scope = scope.copy()
            scope["method"] = "GET"
        scope.setdefault("state", {})["request_id"] = name
        client = scope["client"]
        origin.set(Origin(client[0] if client else None, name))
        # On every log line of this request; the server gives each a task, and so a context, of its own.
        structlog.contextvars.bind_contextvars(request_id=name)
        status = 500

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_ALWAYS, (b"x-request-id", name.encode())]
            elif head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            await self.app(scope, receive, framed)
        finally:
            observe_request(
                method="HEAD" if head else scope["method"],
                route=scope.get("path_template") or "unmatched",
                status=status,
                seconds=time.perf_counter() - started,
            )
