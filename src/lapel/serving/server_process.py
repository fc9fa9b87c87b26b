"""Run a server: bind the address, start the application, and serve in this process or in several."""

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

from lapel.asgi import asgi_of
from lapel.bootstrap import Application, build
from lapel.config import Settings, misspelt_settings
from lapel.errors import LapelError, Unsupported
from lapel.maintenance.recovering import Settlement, recover
from lapel.serving.acceptors import BACKLOG, Acceptor, SharedSocketAcceptor, SoleAcceptor
from lapel.serving.draining import DrainingConnection, DrainingServer
from lapel.serving.guarded_http import ConnectionLimits, guarded
from lapel.serving.supervising import Supervisor
from lapel.serving.worker_slots import WorkerSlot

__all__ = ["KEEP_ALIVE_SECONDS", "AddressTaken", "loop_factory", "run_server", "server_of", "tune_interpreter"]

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than most proxies keep theirs, which is a minute. If the server closed
first, a request that a proxy is just sending would be lost."""

_NOT_THIS_MACHINE = (
    "LAPEL_HOST or --host must be an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them."
)
_NOT_FOR_THIS_USER = "Choose a port from 1024 on, and put a proxy before it for the public one: docs/operating.md."
_SIGHUP_IGNORED = (
    "SIGHUP replaces server processes one by one, if there are several (LAPEL_WORKERS): restart this one instead"
)

_log = structlog.get_logger("lapel")


class AddressTaken(LapelError):
    """The server cannot listen on this address."""

    code = "address_taken"
    hint = "Stop the program that listens there, or choose another port with --port."


def run_server(settings: Settings, *, report: Callable[[LapelError], None]) -> int:
    """Serve until a signal ends it.

    Args:
        report: shows a person why one of several processes could not serve.

    Returns:
        The exit status: 0 if every request was answered.

    Raises:
        AddressTaken: another process listens there, or the address is not one of this machine.
        Unsupported: several processes are configured, and the database allows one.
        LapelError: any other reason why the server cannot start.
    """
    for warning in (*settings.warnings, *misspelt_settings()):
        _log.warning(warning)
    with _bind(settings) as listening:
        if settings.workers == 1:
            return _run(_serve_alone(settings, listening))
        asyncio.run(_prepare_workers(settings, listening))
        listening.setblocking(False)

        def serve(slot: WorkerSlot) -> int:
            return _run(_serve_as_worker(slot, settings, SharedSocketAcceptor(listening)))

        supervisor = Supervisor(
            listening, workers=settings.workers, serve=serve, report=report, drain_seconds=settings.drain_seconds
        )
        return supervisor.run()


def tune_interpreter() -> None:
    """Exempt all objects that exist after the start from garbage collection, and collect less often.

    A request creates few reference cycles and many young objects. With Python's default of a collection every 700
    objects, a fifth of the time would be spent for nothing, with pauses of a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # The committing thread runs hardly any Python code, but would wait for the interpreter as long as a COMMIT takes.
    sys.setswitchinterval(0.0001)


def server_of(application: Application, acceptor: Acceptor, slot: WorkerSlot | None = None) -> DrainingServer:
    """Return the server for an application; `slot` is given if this is one of several processes."""
    settings = application.settings
    limits = ConnectionLimits(connections=settings.max_connections, client_seconds=settings.client_timeout_ms / 1000)

    def set_ready(ready: bool) -> None:
        application.services.serving_state.accepts_requests = ready
        if slot is not None:
            slot.set_ready(ready)

    return DrainingServer(
        uvicorn.Config(
            asgi_of(application),
            http=type("Connection", (DrainingConnection, guarded(limits)), {}),
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # `lapel.http.limits.client_address` reads them
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ),
        acceptor=acceptor,
        drain_seconds=settings.drain_seconds,
        set_ready=set_ready,
        supervised=slot is not None,
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's event loop if it is installed; it does not support every platform."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def _bind(settings: Settings) -> socket.socket:
    """Return a socket that is bound to the address to listen on. This happens before the database is opened.

    Raises:
        AddressTaken: another process listens there, this user may not, or the address is not one of this machine.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        is_foreign = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        hint = _NOT_THIS_MACHINE if is_foreign else _NOT_FOR_THIS_USER if error.errno == errno.EACCES else None
        raise AddressTaken(f"Cannot listen on {settings.host}, port {settings.port}: {reason}.", hint=hint) from error
    return sock


async def _prepare_workers(settings: Settings, listening: socket.socket) -> None:
    """Do what is done once before several processes serve."""
    async with build(settings, serves=True) as application:
        if not application.database.capabilities.several_processes:
            raise Unsupported(
                f"LAPEL_WORKERS is {settings.workers}, but a database of type {settings.db_type} allows one process.",
                hint="Set LAPEL_WORKERS to 1, or use a database for several processes, such as PostgreSQL.",
            )
        await _start(application, listening)
        gc.collect()
        gc.freeze()  # the collector would write to these objects, and each worker would then need its own copy


async def _serve_alone(settings: Settings, listening: socket.socket) -> int:
    if not os.isatty(0):  # on a terminal SIGHUP means that it was closed, which should end the server
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _log.warning, _SIGHUP_IGNORED)
    async with build(settings, serves=True) as application:
        await _start(application, listening)
        return await _serve(application, SoleAcceptor(listening))


async def _serve_as_worker(slot: WorkerSlot, settings: Settings, acceptor: Acceptor) -> int:
    async with build(settings, serves=True, peers=slot) as application:
        await application.start()
        return await _serve(application, acceptor, slot)


async def _start(application: Application, listening: socket.socket) -> None:
    """Start the application, begin to listen, and show the operator the warnings and the first key."""
    settings = application.settings
    await application.start()
    await _recover(application)
    for warning in (await application.public_url_warning(), await application.signer_warning()):
        if warning is not None:
            _log.warning(warning)
    created = await application.first_key()
    if created is not None:
        _print(
            f"\nThis is your first API key. It is shown only this once, so keep it:\n\n    {created.secret}\n\n"
            "Send it as `Authorization: Bearer KEY`; `lapel apikey create` makes more.\n"
        )
    listening.listen(BACKLOG)  # before the next line, whose reader may connect at once
    _print(f"Lapel serves {settings.public_url} on {settings.host}:{settings.port}")


async def _recover(application: Application) -> None:
    """Settle prepared transactions that distributed transactions have left. The server starts even if some remain."""
    if not application.database.capabilities.two_phase:
        return
    for transaction in await recover([application.database]):
        level = logging.WARNING if transaction.settlement is Settlement.LEFT else logging.INFO
        _log.log(
            level,
            "a prepared transaction was found",
            **transaction.to_json(),
            hint="`lapel db recover` settles all of them",
        )


async def _serve(application: Application, acceptor: Acceptor, slot: WorkerSlot | None = None) -> int:
    tune_interpreter()
    server = server_of(application, acceptor, slot)
    with slot.occupied(server, application.services.metrics_exporter.own) if slot is not None else nullcontext():
        await server.serve()
    return 1 if server.cut_off else 0


def _run(server: Coroutine[None, None, int]) -> int:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(server)


def _print(text: str) -> None:
    """Print for the person who started the server, not for the log."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
