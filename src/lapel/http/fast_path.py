"""The fast path: it calls the handlers of the busiest routes directly, without a framework's general machinery.

These are Litestar routes like all others: Litestar describes them, and answers every request that is not entirely
ordinary. On the fast path the same handler gets the same `Call`, and an error becomes the same problem document.
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

_UNSUPPORTED_FEATURES: tuple[Callable[[HTTPRouteHandler], object], ...] = (
    HTTPRouteHandler.resolve_guards,
    HTTPRouteHandler.resolve_dependencies,
    HTTPRouteHandler.resolve_middleware,
    HTTPRouteHandler.resolve_after_response,
    HTTPRouteHandler.resolve_response_headers,
    HTTPRouteHandler.resolve_response_cookies,
    lambda handler: handler.after_request,
)

_plain_host = re.compile(rb"[0-9A-Za-z.:-]+").fullmatch
_plain_id = re.compile(r"[0-9A-Fa-f-]{36}").fullmatch  # no fixed last segment of a route looks like this


class _DirectRoute(NamedTuple):
    """A route's handler, and what is needed to call it.

    Attributes:
        template: its path with the names of its parameters, as logs and metrics show it.
        before: the hook to call first, if there is one.
        takes_body: the handler's argument is the body; otherwise the last segment of the path.
    """

    handler: HTTPRouteHandler
    template: str
    before: Callable[..., Awaitable[object]] | None
    answer: Callable[..., Awaitable[Answer]]
    takes_body: bool


class FastPath:
    """An ASGI application between `Frame` and Litestar's.

    Args:
        app: answers everything else.

    Raises:
        ImproperlyConfiguredException: a route with `FAST` uses a feature that this path does not support.
    """

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._fixed: dict[tuple[str, str], _DirectRoute] = {}
        self._with_id: dict[tuple[str, str], _DirectRoute] = {}  # by method, and the path before the id
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                for method, (handler, _) in route.route_handler_map.items():
                    if handler.opt.get("fast"):
                        self._add(method, route, handler)

    def _add(self, method: str, route: HTTPRoute, handler: HTTPRouteHandler) -> None:
        fixed = not route.path_parameters
        before, _, last = route.path_format.rpartition("/")
        parameters = ["request", "data" if fixed else last.strip("{}")]
        uses_more = any(resolve(handler) for resolve in _UNSUPPORTED_FEATURES)
        if [*handler.parsed_fn_signature.parameters] != parameters or uses_more:
            raise ImproperlyConfiguredException(f"{method} {route.path} needs more than the fast path does.")
        # Every hook and handler of this application is a coroutine, which Litestar's types do not say.
        hook = cast("Callable[..., Awaitable[object]] | None", handler.resolve_before_request())
        direct = _DirectRoute(handler, route.path_format, hook, handler.fn, takes_body=fixed)
        if fixed:
            self._fixed[method, route.path] = direct
        else:
            self._with_id[method, before] = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and _has_plain_host(scope):
            method, path = scope["method"], scope["path"]
            if (route := self._fixed.get((method, path))) is not None:
                await self._answer(route, "", scope, receive, send)
                return
            before, _, segment = path.rpartition("/")
            if (route := self._with_id.get((method, before))) is not None and _plain_id(segment):
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
            answer: Answer = await route.answer(request, await request.json() if route.takes_body else segment)
        except Exception as error:  # as Litestar does, the handler of the nearest class turns it into a response
            handlers = self._app.exception_handlers
            handle = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
            await handle(request, error).to_asgi_response(app=None, request=request)(scope, receive, send)
        else:
            await answer(scope, receive, send)


def _has_plain_host(scope: HTTPScope) -> bool:
    host = first_line(scope, b"host")
    return host is not None and _plain_host(host) is not None
