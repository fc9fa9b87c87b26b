"""How a failure is told on the command line."""

from __future__ import annotations

import typer

from lapel.errors import InvalidInput, LapelError

__all__ = ["UnreadableFile", "tell"]


class UnreadableFile(InvalidInput):
    """The file cannot be read."""

    code = "unreadable_file"


def tell(error: LapelError) -> None:
    """The code, the sentence, each thing that is wrong, and the hint, on standard error."""
    typer.secho(f"error: {error.code}: {error.detail}", err=True, fg=typer.colors.RED)
    for entry in error.errors:
        typer.echo(f"  {entry.pointer or '(whole)'}: {entry.detail}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
