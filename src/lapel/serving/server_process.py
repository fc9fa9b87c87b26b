"""A server process: the address taken, the application started on it, and the end."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import nullcontext

import structlog
import uvicorn

from lapel.bootstrap import Application, build
from lapel.config import Settings, misspelt_settings
from lapel.errors import LapelError, Unavailable, Unsupported
from lapel.maintenance.recovering import recover
from lapel.serving.accepting import BACKLOG, Accepting, AcceptingAlone, AcceptingInTurn
from lapel.serving.draining import DrainingServer, TakesLeave
from lapel.serving.guarded_http import ConnectionLimits, guarded
from lapel.serving.supervising import Supervisor
from lapel.serving.worker_place import WorkerPlace

__all__ = ["KEEP_ALIVE_SECONDS", "AddressTaken", "loop_factory", "run_server", "server_of", "tune_interpreter"]

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than proxies keep theirs, which is a minute with most. Whoever closes
first must not be the server, or a request that is just then on its way is lost."""

_NOT_OURS = "LAPEL_HOST or --host must be an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them."
_NOT_RENEWED = (
    "SIGHUP replaces server processes one by one, if there are several (LAPEL_WORKERS): restart this one instead"
)

_log = structlog.get_logger("lapel")


class AddressTaken(Unavailable):
    """The server cannot listen on this address."""

    code = "address_taken"
    hint = "Stop the program that listens there, or choose another port with --port."


def run_server(settings: Settings, *, tell: Callable[[LapelError], None]) -> int:
    """Serve until a signal ends it.

    Args:
        tell: tells a person why one process of several could not serve.

    Returns:
        The exit status: 0 where every request was answered.

    Raises:
        AddressTaken: another process listens there, or the address is not this machine's.
        Unsupported: several processes are wanted, on a database for one.
        LapelError: what else stops a start.
    """
    for sentence in (*settings.warnings, *misspelt_settings()):
        _log.warning(sentence)
    with _bound(settings) as listening:
        if settings.workers == 1:
            return _run(_begin_and_serve(settings, listening))
        asyncio.run(_begin(settings, listening))
        listening.setblocking(False)

        def serve(place: WorkerPlace) -> int:
            return _run(_serve_at(place, settings, AcceptingInTurn(listening)))

        supervisor = Supervisor(
            listening, workers=settings.workers, serve=serve, tell=tell, drain_seconds=settings.drain_seconds
        )
        return supervisor.run()


def tune_interpreter() -> None:
    """Take what start-up has made out of the garbage collector's rounds, and make those rarer.

    A request leaves few cycles behind and many young objects, so the collector's default of a round every 700 objects
    costs a fifth of the time, and pauses of a tenth of a second, for nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # The thread that commits does next to nothing in Python, but would wait for its turn as long as a COMMIT takes.
    sys.setswitchinterval(0.0001)


def server_of(application: Application, accepting: Accepting, place: WorkerPlace | None = None) -> DrainingServer:
    """What serves the application; `place` where it is one process of several."""
    settings = application.settings
    limits = ConnectionLimits(connections=settings.max_connections, client_seconds=settings.client_timeout_ms / 1000)

    def serves(ready: bool) -> None:
        application.services.serving_state.accepts_requests = ready
        if place is not None:
            place.serves(ready)

    return DrainingServer(
        uvicorn.Config(
            application.asgi(),
            http=type("Connection", (TakesLeave, guarded(limits)), {}),
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # `lapel.http.limits.client_address` reads them
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ),
        accepting=accepting,
        drain_seconds=settings.drain_seconds,
        serves=serves,
        supervised=place is not None,
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed; it is not for every platform."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


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
        is_not_ours = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        hint = _NOT_OURS if is_not_ours else None
        raise AddressTaken(f"Cannot listen on {settings.host}, port {settings.port}: {reason}.", hint=hint) from error
    return bound


async def _begin(settings: Settings, listening: socket.socket) -> None:
    """What is done once before several processes serve."""
    async with build(settings, serves=True) as application:
        if not application.database.capabilities.several_processes:
            raise Unsupported(
                f"LAPEL_WORKERS is {settings.workers}, but a database of type {settings.db_type} allows one process.",
                hint="Set LAPEL_WORKERS to 1, or use a database for several processes, such as PostgreSQL.",
            )
        await _open(application, listening)
        gc.collect()
        gc.freeze()  # what the processes share stays shared as long as none of them writes to it


async def _begin_and_serve(settings: Settings, listening: socket.socket) -> int:
    if not os.isatty(0):  # else somebody has closed the terminal, and means to end it
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _log.warning, _NOT_RENEWED)
    async with build(settings, serves=True) as application:
        await _open(application, listening)
        return await _serve(application, AcceptingAlone(listening))


async def _serve_at(place: WorkerPlace, settings: Settings, accepting: Accepting) -> int:
    async with build(settings, serves=True, peers=place) as application:
        await application.start()
        return await _serve(application, accepting, place)


async def _open(application: Application, listening: socket.socket) -> None:
    """Start, take connections into the socket's queue, and tell the operator what is to be told once."""
    settings = application.settings
    await application.start()
    await _recover(application)
    for sentence in (await application.public_url_warning(), await application.signer_warning()):
        if sentence is not None:
            _log.warning(sentence)
    created = await application.first_key()
    if created is not None:
        _tell(
            f"\nThis is your first API key. It is shown only this once, so keep it:\n\n    {created.secret}\n\n"
            "Send it as `Authorization: Bearer KEY`; `lapel apikey create` makes more.\n"
        )
    listening.listen(BACKLOG)  # whoever reads the next line may connect
    _tell(f"Lapel serves {settings.public_url} on {settings.host}:{settings.port}")


async def _recover(application: Application) -> None:
    """Settle what distributed transactions have left here. What cannot be settled now is no reason not to serve."""
    if not application.database.capabilities.two_phase:
        return
    for one in await recover([application.database]):
        level = logging.WARNING if one.settlement == "left" else logging.INFO
        _log.log(
            level, "a prepared transaction was found", **one.to_json(), hint="`lapel db recover` settles all of them"
        )


async def _serve(application: Application, accepting: Accepting, place: WorkerPlace | None = None) -> int:
    tune_interpreter()
    server = server_of(application, accepting, place)
    with place.occupied(server, application.services.metrics_exporter.own) if place is not None else nullcontext():
        await server.serve()
    return 1 if server.cut_off else 0


def _run(serving: Coroutine[None, None, int]) -> int:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serving)


def _tell(sentence: str) -> None:
    """Say something to whoever has started the server: not a line of the log."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
