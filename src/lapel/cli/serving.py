"""``lapel serve``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import structlog
import typer
import uvicorn

from lapel.bootstrap import build, start_settings
from lapel.config import Settings, misspelt_settings
from lapel.errors import Unsupported

__all__ = ["serve"]

_DRAIN_SECONDS = 20
_log = structlog.get_logger("lapel")


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on; LAPEL_HOST if not given.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; LAPEL_PORT if not given.")] = None,
) -> None:
    """Run the server.

    It migrates an embedded database by itself. On SIGTERM it ends what it has begun to answer, then stops.
    """
    given = dict(os.environ)
    if host is not None:
        given["LAPEL_HOST"] = host
    if port is not None:
        given["LAPEL_PORT"] = str(port)
    settings = start_settings(given)
    if settings.workers > 1:
        raise Unsupported("This version serves with one process.", hint="Set LAPEL_WORKERS to 1.")
    for sentence in (*settings.warnings, *misspelt_settings()):
        _log.warning(sentence)
    # uvicorn hands the signal that ended it on; it has done its work by then, and the exit is a good one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed; it is not for every platform."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


async def _serve(settings: Settings) -> None:
    async with build(settings, serves=True) as application:
        await application.start()
        created = await application.first_key()
        if created is not None:
            typer.echo(
                f"\nThis database is new. Its first API key, shown this once:\n\n    {created.secret}\n\n"
                "Send it as `Authorization: Bearer KEY`; `lapel apikey create` makes others.\n",
                err=True,
            )
        typer.echo(f"Lapel serves {settings.public_url} on {settings.host}:{settings.port}", err=True)
        server = uvicorn.Server(
            uvicorn.Config(
                application.asgi(),
                host=settings.host,
                port=settings.port,
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_SECONDS,
            )
        )
        await server.serve()
        if not server.started:
            sys.exit(1)
