"""``lapel serve``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on; LAPEL_HOST if not given.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; LAPEL_PORT if not given.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes; LAPEL_WORKERS if not given.")] = None,
) -> None:
    """Run the server.

    An embedded database is created and migrated automatically. On SIGTERM the server finishes the requests that it has
    received, then stops; a second SIGTERM stops it at once.
    """
    from lapel.bootstrap import start_settings
    from lapel.cli.failures import print_error
    from lapel.serving.server_process import run_server

    environ = dict(os.environ)
    if host is not None:
        environ["LAPEL_HOST"] = host
    if port is not None:
        environ["LAPEL_PORT"] = str(port)
    if workers is not None:
        environ["LAPEL_WORKERS"] = str(workers)
    raise typer.Exit(run_server(start_settings(environ), report=print_error))
