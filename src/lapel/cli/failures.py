"""Report failures on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from lapel.cli.printable import print_coloured, printable_json
from lapel.domain.json import JsonObject
from lapel.errors import InvalidInput, LapelError

__all__ = ["NotACredential", "SameFile", "UnreadableFile", "error_object", "errors_as_json", "print_error"]


class UnreadableFile(InvalidInput):
    """The file cannot be read."""

    code = "unreadable_file"


class SameFile(InvalidInput):
    """The result would overwrite the file that it is made from."""

    code = "same_file"
    hint = "Name another file with --out."


class NotACredential(InvalidInput):
    """This is neither a signed credential in JSON nor a compact JWS."""

    code = "not_a_credential"
    hint = "Give the credential as it was issued; `lapel unbake` takes one out of an image."


def error_object(error: LapelError) -> JsonObject:
    """Return the JSON object that a command prints for a failure."""
    return {"ok": False, "code": error.code, "detail": error.detail, "hint": error.hint}


@contextmanager
def errors_as_json(as_json: bool) -> Iterator[None]:
    """If `as_json`, also print a failure inside the block as one JSON object on standard output, and raise it again."""
    try:
        yield
    except LapelError as error:
        if as_json:
            typer.echo(printable_json(error_object(error)))
        raise


def print_error(error: LapelError) -> None:
    """Print the code, the message, each wrong member, and the hint on standard error."""
    print_coloured(f"error: {error.code}: {error.detail}", typer.colors.RED)
    for entry in error.errors:
        if entry.detail in error.detail:  # printed already
            continue
        typer.echo(f"  {entry.pointer or '(whole)'}: {entry.detail}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
