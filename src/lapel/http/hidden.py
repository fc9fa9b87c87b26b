"""What a proxy hides from the public: by its path, which therefore must not have a second spelling."""

from __future__ import annotations

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler

__all__ = ["as_written"]


def as_written(connection: ASGIConnection[BaseRouteHandler, None, None, State], handler: BaseRouteHandler) -> None:
    """A guard of a route: nothing is at its path in another spelling, which Litestar takes for the same.

    Raises:
        NotFoundException: ``/metrics/``, ``/health//ready``, ``/%6Detrics`` and their like are asked for.
    """
    if connection.scope["raw_path"].decode("latin-1") not in handler.paths:
        raise NotFoundException
