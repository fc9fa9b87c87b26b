"""The fast path: the routes that bear nearly all the load, without what a framework does for the general case.

They are Litestar's routes like all others. It describes them, and it answers them wherever a request is anything but
plain. Here the same handler gets the same `Call`, and what it raises becomes the same problem document.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import HTTPScope, Receive, Scope, Send

from lapel.http.answer import Answer
from lapel.http.header_fields import first_line

__all__ = ["FAST", "FastPath"]

FAST = {"fast": True}
"""The ``opt`` of a route that takes the fast path.

Its handler takes ``request``, and ``data`` where the path has no parameters, or the id that ends the path.
"""

_NOT_DONE: tuple[Callable[[HTTPRouteHandler], object], ...] = (
    HTTPRouteHandler.resolve_guards,
    HTTPRouteHandler.resolve_dependencies,
    HTTPRouteHandler.resolve_middleware,
    HTTPRouteHandler.resolve_after_response,
    HTTPRouteHandler.resolve_response_headers,
    HTTPRouteHandler.resolve_response_cookies,
    lambda handler: handler.after_request,
)

_plain_host = re.compile(rb"[0-9A-Za-z.:-]+").fullmatch
_plain_id = re.compile(r"[0-9A-Fa-f-]{36}").fullmatch  # what a route spells out in its place looks otherwise


class _DirectRoute(NamedTuple):
    """A route, taken apart into what answers it.

    Attributes:
        template: its path with the names of its parameters, as logs and metrics show it.
        before: a hook to call first.
        reads: whether the handler takes the body, or else the end of the path.
    """

    handler: HTTPRouteHandler
    template: str
    before: Callable[..., Awaitable[object]] | None
    answer: Callable[..., Awaitable[Answer]]
    reads: bool


class FastPath:
    """An ASGI application between the frame and Litestar's.

    Args:
        app: answers everything else.

    Raises:
        ImproperlyConfiguredException: a route on this path counts on something that is not done here.
    """

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._fixed: dict[tuple[str, str], _DirectRoute] = {}
        self._with_segment: dict[tuple[str, str], _DirectRoute] = {}  # by the path before it
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                for method, (handler, _) in route.route_handler_map.items():
                    if handler.opt.get("fast"):
                        self._add(method, route, handler)

    def _add(self, method: str, route: HTTPRoute, handler: HTTPRouteHandler) -> None:
        fixed = not route.path_parameters
        before, _, last = route.path_format.rpartition("/")
        given = "data" if fixed else last.strip("{}")
        if [*handler.parsed_fn_signature.parameters] != ["request", given] or any(ask(handler) for ask in _NOT_DONE):
            raise ImproperlyConfiguredException(f"{method} {route.path} needs more than the fast path does.")
        # Every hook and handler of this application is a coroutine, which Litestar's types do not say.
        hook = cast("Callable[..., Awaitable[object]] | None", handler.resolve_before_request())
        direct = _DirectRoute(handler, route.path_format, hook, handler.fn, reads=fixed)
        if fixed:
            self._fixed[method, route.path] = direct
        else:
            self._with_segment[method, before] = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and _has_plain_host(scope):
            method, path = scope["method"], scope["path"]
            if (route := self._fixed.get((method, path))) is not None:
                await self._answer(route, "", scope, receive, send)
                return
            before, _, segment = path.rpartition("/")
            if (route := self._with_segment.get((method, before))) is not None and _plain_id(segment):
                await self._answer(route, segment, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _answer(self, route: _DirectRoute, segment: str, scope: HTTPScope, receive: Receive, send: Send) -> None:
        scope["app"] = scope["litestar_app"] = self._app
        scope["route_handler"] = route.handler
        scope["path_template"] = route.template
        scope["path_params"] = {}
        request = self._app.request_class(scope, receive, send)
        try:
            if route.before is not None:
                await route.before(request)
            answer: Answer = await route.answer(request, await request.json() if route.reads else segment)
        except Exception as error:  # as Litestar does: the handler of the nearest class makes a response of it
            handlers = self._app.exception_handlers
            handle = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
            await handle(request, error).to_asgi_response(app=None, request=request)(scope, receive, send)
        else:
            await answer(scope, receive, send)


def _has_plain_host(scope: HTTPScope) -> bool:
    host = first_line(scope, b"host")
    return host is not None and _plain_host(host) is not None
