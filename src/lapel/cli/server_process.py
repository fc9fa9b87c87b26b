"""A server process: the address taken, the application started on it, and the end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable
from typing import Literal

import structlog
import typer
import uvicorn

from lapel.bootstrap import Application, build
from lapel.config import Settings, misspelt_settings
from lapel.errors import Unavailable, Unsupported

__all__ = ["KEEP_ALIVE_SECONDS", "AddressTaken", "loop_factory", "run_server", "server_config", "settle"]

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than proxies keep theirs, which is a minute with most. Whoever closes
first must not be the server, or a request that is just then on its way is lost."""

_DRAIN_SECONDS = 20
_log = structlog.get_logger("lapel")


class AddressTaken(Unavailable):
    """The address to listen on is not free."""

    code = "address_taken"
    hint = "Stop what listens there, or choose another with --port."


def run_server(settings: Settings) -> None:
    """Serve until a signal ends it.

    Raises:
        AddressTaken: another process listens there, or the address is not this machine's.
        LapelError: what else stops a start.
    """
    if settings.workers > 1:
        raise Unsupported("This version serves with one process.", hint="Set LAPEL_WORKERS to 1.")
    for sentence in (*settings.warnings, *misspelt_settings()):
        _log.warning(sentence)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings))


def settle() -> None:
    """Take what start-up has made out of the garbage collector's rounds, and make those rarer.

    A request leaves few cycles behind and many young objects, so the collector's default of a round every 700 objects
    costs a fifth of the time, and pauses of a tenth of a second, for nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # The thread that commits does next to nothing in Python, but would wait for its turn as long as a COMMIT takes.
    sys.setswitchinterval(0.0001)


def server_config(application: Application) -> uvicorn.Config:
    """How uvicorn is to serve."""
    return uvicorn.Config(
        application.asgi(),
        http=_protocol(application.settings),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # `lapel.http.client_address` reads them
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed; it is not for every platform."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def _protocol(settings: Settings) -> type[asyncio.Protocol] | Literal["auto"]:
    """Ours where httptools is installed; it is not for every platform."""
    try:
        from lapel.cli.guarded_http import ConnectionLimits, guarded
    except ImportError:
        return "auto"
    return guarded(
        ConnectionLimits(connections=settings.max_connections, client_seconds=settings.client_timeout_ms / 1000)
    )


def _bound(settings: Settings) -> socket.socket:
    """A socket at the address to listen on, taken before the database is touched.

    Raises:
        AddressTaken: another process listens there, or the address is not this machine's.
    """
    found = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(found)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise AddressTaken(f"Cannot listen on {settings.host}, port {settings.port}: {reason}.") from error
    return bound


async def _serve(settings: Settings) -> None:
    with _bound(settings) as listening:
        await _serve_on(listening, settings)


async def _serve_on(listening: socket.socket, settings: Settings) -> None:
    async with build(settings, serves=True) as application:
        await application.start()
        if sentence := await application.public_url_warning():
            _log.warning(sentence)
        created = await application.first_key()
        if created is not None:
            typer.echo(
                f"\nThis database has no API key yet. Its first, shown this once:\n\n    {created.secret}\n\n"
                "Send it as `Authorization: Bearer KEY`; `lapel apikey create` makes others.\n",
                err=True,
            )
        typer.echo(f"Lapel serves {settings.public_url} on {settings.host}:{settings.port}", err=True)
        settle()
        server = uvicorn.Server(server_config(application))
        # uvicorn hands on the signal that ended it; it has done its work by then, and the exit is a good one.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        await server.serve([listening])
