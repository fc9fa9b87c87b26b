"""OPTIONS: the methods that an address supports (RFC 9110, 9.3.7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from litestar import Response
from litestar.handlers import HTTPRouteHandler

__all__ = ["allowed", "allowed_by", "options_of"]


def allowed(methods: Iterable[str]) -> str:
    """Return the value of ``Allow``: these methods, and HEAD if GET is among them."""
    unique = set(methods)
    return ", ".join(sorted(unique | {"HEAD"} if "GET" in unique else unique))


def allowed_by(handlers: Iterable[HTTPRouteHandler]) -> str:
    """Return ``Allow`` for the server as a whole, for ``OPTIONS *``."""
    return allowed({"OPTIONS"}.union(*(handler.http_methods for handler in handlers)))


def options_of(handlers: Collection[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Return routes for OPTIONS at every path of `handlers`. Litestar has to get them before `handlers`.

    Litestar's own OPTIONS routes list only the methods of the first handler at a path.
    """
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    paths_by_allow: dict[str, list[str]] = {}
    for path, path_methods in methods.items():
        paths_by_allow.setdefault(allowed(path_methods), []).append(path)
    return [_options(paths, allow) for allow, paths in paths_by_allow.items()]


def _options(paths: list[str], allow: str) -> HTTPRouteHandler:
    async def options() -> Response[None]:
        return Response(None, headers={"allow": allow})

    return HTTPRouteHandler(paths, http_method="OPTIONS", status_code=204)(options)
