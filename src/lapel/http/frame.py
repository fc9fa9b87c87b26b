"""The middleware around every request: request id, HEAD, CORS, limits, common headers, metrics and the access log."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Collection
from typing import Final, TypeAlias

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from lapel.domain.access import Principal
from lapel.errors import LapelError, TooManyRequests
from lapel.http.answer import PUBLIC, Answer
from lapel.http.errors import TookTooLong
from lapel.http.header_fields import first_line
from lapel.http.limits.client_address import TRUSTED_PROXIES, client_address
from lapel.http.limits.rate_limit import network_of
from lapel.http.limits.time_limit import TimeLimit
from lapel.http.metrics import InProgress, observe_request
from lapel.http.problems import problem_answer
from lapel.http.refusals import refusal_of
from lapel.http.services import Services

__all__ = ["Frame"]

_Headers: TypeAlias = "list[tuple[bytes, bytes]]"

_ALWAYS: Final[_Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")
_PREFLIGHT: Final[_Headers] = [
    (b"access-control-allow-origin", b"*"),
    # Not Authorization: a page of another origin may only do what needs no key.
    (b"access-control-allow-headers", b"Accept, Content-Type, If-None-Match"),
    (b"access-control-max-age", b"86400"),
    (b"vary", b"Access-Control-Request-Method"),
]

_fit_for_a_log = re.compile(rb"[0-9A-Za-z._-]{1,128}").fullmatch


class Frame:
    """The outermost ASGI application, around Litestar's.

    Args:
        public_posts: paths to which pages of other origins may POST.
        allow: the methods that the server as a whole supports, for ``OPTIONS *``.
    """

    def __init__(self, app: ASGIApp, services: Services, *, public_posts: Collection[str], allow: str) -> None:
        self.app = app
        self._access_log = services.access_log
        self._base = services.addresses.base
        self._pages = services.pages
        self._trusted_proxies = services.trusted_proxies
        self._limit = services.rate_limits.requests
        self._time = TimeLimit(services.request_seconds)
        self._public_posts = frozenset(public_posts)
        self._allow: _Headers = [(b"allow", allow.encode())]
        self._always = [*_ALWAYS, _STRICT_TRANSPORT] if self._base.startswith("https://") else _ALWAYS
        # Request ids are no secret; counting is cheaper than a random number for each request.
        self._id_prefix = secrets.token_hex(4)
        self._id_numbers = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._lifespan_or_refusal(scope, receive, send)
        elif scope["method"] == "OPTIONS" and first_line(scope, b"access-control-request-method") is not None:
            methods = b"GET, HEAD, POST" if scope["path"] in self._public_posts else b"GET, HEAD"
            headers = [*_PREFLIGHT, (b"access-control-allow-methods", methods)]
            await _answer_nothing(send, headers)
        else:
            await self._answer(scope, receive, send)

    async def _lifespan_or_refusal(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the server's start and shutdown, and requests that it refused before they were complete."""
        error = refusal_of(scope)
        if error is None:
            await self.app(scope, receive, send)
            return
        request_id = scope.setdefault("state", {})["request_id"] = self._next_request_id()

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._always, (b"x-request-id", request_id.encode())]
                observe_request(method="unread", route="unread", status=message["status"], seconds=0.0)
            await send(message)

        await self._problem(error, scope)(scope, receive, framed)

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request_id = (self._given_request_id(scope) if self._trusted_proxies else None) or self._next_request_id()
        is_head = scope["method"] == "HEAD"
        if is_head:  # answered as GET without the body: so every GET route has its HEAD, with the same headers
            scope = scope.copy()
            scope["method"] = "GET"
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state[TRUSTED_PROXIES] = self._trusted_proxies
        # On every log line of this request; the server runs each request in a task, and so in a context, of its own.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = 0
        InProgress.now += 1
        task = self._time.begin(started)

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                self._time.end(task)
                status = message["status"]
                message["headers"] = [*message["headers"], *self._always, (b"x-request-id", request_id.encode())]
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        failure: LapelError | None = None
        try:
            if self._limit.is_on:
                self._limit.take(network_of(client_address(scope)))
            if scope["method"] == "OPTIONS" and scope["path"] == "*":  # the server as a whole (RFC 9110, 9.3.7)
                await _answer_nothing(framed, self._allow)
            elif scope["method"] == "GET" and (address := _without_slash(scope)) is not None:
                await _redirect(address)(scope, receive, framed)
            else:
                await self.app(scope, receive, framed)
        except TooManyRequests as error:  # of `_limit`; the application answers its own
            failure = error
        except asyncio.CancelledError:
            if not self._time.cancelled(task) or status:
                raise
            failure = TookTooLong()
        finally:
            if not status:
                self._time.end(task)
            if failure is not None:
                await self._problem(failure, scope)(scope, receive, framed)
            InProgress.now -= 1
            method, seconds = "HEAD" if is_head else scope["method"], time.perf_counter() - started
            self._record(scope, method, request_id, status or 500, seconds)

    def _problem(self, error: LapelError, scope: Scope) -> Answer:
        return problem_answer(error, scope, base=self._base, pages=self._pages)

    def _record(self, scope: HTTPScope, method: str, request_id: str, status: int, seconds: float) -> None:
        """Count a request in the metrics, and write it to the access log if there is one."""
        route = scope.get("path_template") or "unmatched"
        observe_request(method=method, route=route, status=status, seconds=seconds)
        if self._access_log is not None:
            principal = scope.get("user")
            is_authenticated = isinstance(principal, Principal)
            self._access_log(
                request_id=request_id,
                method=method,
                route=route,
                status=status,
                seconds=seconds,
                organisation=principal.organisation_id if is_authenticated else None,
                actor=principal.actor if is_authenticated else None,
            )

    def _next_request_id(self) -> str:
        return f"{self._id_prefix}{next(self._id_numbers):06x}"

    def _given_request_id(self, scope: HTTPScope) -> str | None:
        """Return the request id that a trusted proxy has set, if it is fit for a log.

        From anybody else it could be any text, or the id of another request, and it would stay in the audit log.
        """
        value = first_line(scope, b"x-request-id")
        if value is None or not _fit_for_a_log(value) or not self._trusted_proxies.sent(scope):
            return None
        return value.decode("ascii")


def _without_slash(scope: HTTPScope) -> str | None:
    """Return where a path that ends in a slash is redirected to: the path without it; None for any other path.

    A page's relative links would be wrong below the slash. The redirect is relative, too: it names no host, and works
    below whatever prefix a proxy has removed.
    """
    path = scope["raw_path"]
    if path == b"/" or not path.endswith(b"/") or path.endswith(b"//"):  # clients resolve ".." after "//" differently
        return None
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return (b"../" + path[:-1].rpartition(b"/")[2] + query).decode("latin-1")


def _redirect(address: str) -> Answer:
    headers = {"location": address, "cache-control": "public, max-age=300", **PUBLIC}
    return Answer(b"", status_code=301, media_type="text/plain", headers=headers)


async def _answer_nothing(send: Send, headers: _Headers) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
