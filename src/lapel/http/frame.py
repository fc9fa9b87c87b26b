"""What surrounds every request: its id, HEAD, cross-origin preflights, headers of every answer, counts and times."""

from __future__ import annotations

import itertools
import re
import secrets
import time

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from lapel.domain.access import Principal
from lapel.http.routes.metrics import InProgress, observe_request
from lapel.http.services import AccessLog

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

_fit_for_a_log = re.compile(rb"[0-9A-Za-z._-]{1,128}").fullmatch


class Frame:
    """The outermost ASGI application, around Litestar's.

    Args:
        access_log: told of each request that was answered.
    """

    def __init__(self, app: ASGIApp, *, access_log: AccessLog | None = None) -> None:
        self.app = app
        self._access_log = access_log
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
        name = _name_given(scope) or f"{self._prefix}{next(self._count):06x}"
        head = scope["method"] == "HEAD"
        if head:  # answered as GET, and the body dropped: every GET route has its HEAD, with the same headers
            scope = scope.copy()
            scope["method"] = "GET"
        scope.setdefault("state", {})["request_id"] = name
        # On every log line of this request; the server gives each a task, and so a context, of its own.
        structlog.contextvars.bind_contextvars(request_id=name)
        status = 500
        InProgress.now += 1

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
            InProgress.now -= 1
            method, route = "HEAD" if head else scope["method"], scope.get("path_template") or "unmatched"
            seconds = time.perf_counter() - started
            observe_request(method=method, route=route, status=status, seconds=seconds)
            if self._access_log is not None:
                principal = scope.get("user")
                known = isinstance(principal, Principal)
                self._access_log(
                    request_id=name,
                    method=method,
                    route=route,
                    status=status,
                    seconds=seconds,
                    organisation=principal.organisation_id if known else None,
                    actor=f"api-key:{principal.key_id}" if known else None,
                )


def _name_given(scope: HTTPScope) -> str | None:
    """What a client or proxy calls the request, if that is fit for a log: no more than a name."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode("ascii") if _fit_for_a_log(value) else None
    return None
