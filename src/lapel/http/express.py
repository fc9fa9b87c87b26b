"""The express lane: the routes that bear nearly all the load, without what a framework does for the general case.

They are Litestar's routes like all others. It describes them, and it answers them wherever a request is anything but
plain. Here the same handler gets the same `Call`, and what it raises becomes the same problem document.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import HTTPScope, Receive, Scope, Send

from lapel.http.answer import Answer

__all__ = ["EXPRESS", "Express"]

EXPRESS = {"express": True}
"""The ``opt`` of a route in this lane: its path has no parameters, and its handler takes ``request`` and ``data``."""

_PARAMETERS = {"request", "data"}
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


class Express:
    """An ASGI application between the frame and Litestar's.

    Args:
        app: answers everything that is not for this lane.

    Raises:
        ImproperlyConfiguredException: a route in this lane counts on something that is not done here.
    """

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._handlers: dict[tuple[str, str], HTTPRouteHandler] = {
            (method, route.path): handler
            for route in app.routes
            if isinstance(route, HTTPRoute)
            for method, (handler, _) in route.route_handler_map.items()
            if handler.opt.get("express")
        }
        for (method, path), handler in self._handlers.items():
            if handler.parsed_fn_signature.parameters.keys() != _PARAMETERS or any(ask(handler) for ask in _NOT_DONE):
                raise ImproperlyConfiguredException(f"{method} {path} is more than the express lane does.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            handler = self._handlers.get((scope["method"], scope["path"]))
            if handler is not None and _has_plain_host(scope):
                await self._answer(handler, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _answer(self, handler: HTTPRouteHandler, scope: HTTPScope, receive: Receive, send: Send) -> None:
        scope["app"] = scope["litestar_app"] = self._app
        scope["route_handler"] = handler
        scope["path_template"] = scope["path"]
        scope["path_params"] = {}
        request = self._app.request_class(scope, receive, send)
        try:
            before = handler.resolve_before_request()
            if before is not None:
                await before(request)
            answer: Answer = await handler.fn(request, await request.json())
        except Exception as error:  # as Litestar does: the handler of the nearest class makes a response of it
            handlers = self._app.exception_handlers
            handle = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
            await handle(request, error).to_asgi_response(app=None, request=request)(scope, receive, send)
        else:
            await answer(scope, receive, send)


def _has_plain_host(scope: HTTPScope) -> bool:
    for name, value in scope["headers"]:
        if name == b"host":
            return _plain_host(value) is not None
    return False
