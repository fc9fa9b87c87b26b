"""Routes that a proxy hides from the public by their path, which therefore must not have a second spelling."""

from __future__ import annotations

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler

__all__ = ["exact_path"]


def exact_path(connection: ASGIConnection[BaseRouteHandler, None, None, State], handler: BaseRouteHandler) -> None:
    """A route's guard: its path counts only as it is spelled, where Litestar would take other spellings for the same.

    Raises:
        NotFoundException: ``/metrics/``, ``/health//ready``, ``/%6Detrics`` and their like are asked for.
    """
    if connection.scope["raw_path"].decode("latin-1") not in handler.paths:
        raise NotFoundException
