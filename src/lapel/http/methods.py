"""OPTIONS: which methods an address answers to (RFC 9110, 9.3.7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from litestar import Response
from litestar.handlers import HTTPRouteHandler

__all__ = ["allowed", "allowed_by", "options_of"]


def allowed(methods: Iterable[str]) -> str:
    """``Allow``: these, and HEAD where one is GET."""
    named = set(methods)
    return ", ".join(sorted(named | {"HEAD"} if "GET" in named else named))


def allowed_by(handlers: Iterable[HTTPRouteHandler]) -> str:
    """``Allow`` of the server as a whole, for ``OPTIONS *``."""
    return allowed({"OPTIONS"}.union(*(handler.http_methods for handler in handlers)))


def options_of(handlers: Collection[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Routes for OPTIONS at every address of `handlers`; to be given to Litestar before them.

    Its own name the methods of the first handler at an address only.
    """
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    addresses: dict[str, list[str]] = {}
    for path, found in methods.items():
        addresses.setdefault(allowed(found), []).append(path)
    return [_options(paths, allow) for allow, paths in addresses.items()]


def _options(paths: list[str], allow: str) -> HTTPRouteHandler:
    async def options() -> Response[None]:
        return Response(None, headers={"allow": allow})

    return HTTPRouteHandler(paths, http_method="OPTIONS", status_code=204)(options)
