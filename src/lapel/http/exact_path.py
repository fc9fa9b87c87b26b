"""A guard for routes that a proxy hides from the public by their path: no other spelling of it may reach them."""

from __future__ import annotations

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler

__all__ = ["exact_path"]


def exact_path(connection: ASGIConnection[BaseRouteHandler, None, None, State], handler: BaseRouteHandler) -> None:
    """Refuse every path but the route's own spelling; Litestar would route other spellings to it as well.

    Raises:
        NotFoundException: the path is another spelling, such as ``/metrics/``, ``/health//ready`` or ``/%6Detrics``.
    """
    if connection.scope["raw_path"].decode("latin-1") not in handler.paths:
        raise NotFoundException
