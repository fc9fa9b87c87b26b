"""``lapel signer``: a process that holds signing keys, so that the server need not."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from lapel.cli.files import read_passphrase

__all__ = ["app"]

app = typer.Typer(help="Hold signing keys outside the server.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Makes typer keep the name of the group's only command."""


@app.command(epilog="Example: lapel signer serve --socket run/signer.sock --keys signing-keys")
def serve(
    socket: Annotated[Path, typer.Option(help="The Unix socket to listen on; LAPEL_SIGNER_SOCKET of the server.")],
    keys: Annotated[
        Path, typer.Option(help="The folder of private keys, one PEM file each; new ones are created here.")
    ],
    passphrase_file: Annotated[
        Path | None, typer.Option(help="A file with the passphrase that the keys are encrypted under.")
    ] = None,
    group: Annotated[
        bool, typer.Option("--group", help="The socket's group may ask for signatures too, not only its owner.")
    ] = False,
) -> None:
    """Sign for whoever may open the socket; private keys never leave. Run it as a different user from the server's."""
    import asyncio

    from lapel.credentials.signing.signer_service import KeyFolder, serving_signer

    folder = KeyFolder(keys, passphrase=None if passphrase_file is None else read_passphrase(passphrase_file))

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with serving_signer(folder, socket, for_group=group):
            typer.echo(f"Signing on {socket} with {len(folder)} keys.")
            await stop.wait()

    asyncio.run(run())
