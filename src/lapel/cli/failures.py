"""How a failure is told on the command line."""

from __future__ import annotations

import typer

from lapel.errors import InvalidInput, LapelError

__all__ = ["NotACredential", "UnreadableFile", "tell"]


class UnreadableFile(InvalidInput):
    """The file cannot be read."""

    code = "unreadable_file"


class NotACredential(InvalidInput):
    """This is neither a signed credential in JSON nor a compact JWS."""

    code = "not_a_credential"
    hint = "Give the credential as it was issued; `lapel unbake` takes one out of an image."


def tell(error: LapelError) -> None:
    """The code, the sentence, each thing that is wrong, and the hint, on standard error."""
    typer.secho(f"error: {error.code}: {error.detail}", err=True, fg=typer.colors.RED)
    for entry in error.errors:
        if entry.detail in error.detail:  # said already
            continue
        typer.echo(f"  {entry.pointer or '(whole)'}: {entry.detail}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
