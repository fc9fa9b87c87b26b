"""The HTTP application of a server. Loading it takes a fifth of a second, which other commands need not spend."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from litestar import Litestar
from litestar.types import ASGIApp

from lapel.bootstrap import Application
from lapel.http.app import build_app

__all__ = ["asgi_of"]


def asgi_of(application: Application) -> ASGIApp:
    """Return the HTTP application. It stops `application` when the server has answered its last requests."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await application.stop()

    return build_app(application.services, lifespan=lifespan)
