"""How a failure is told on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from lapel.domain.json import JsonObject
from lapel.errors import InvalidInput, LapelError

__all__ = ["NotACredential", "SameFile", "UnreadableFile", "as_object", "tell", "told_as_json"]


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


def as_object(error: LapelError) -> JsonObject:
    """What a command's JSON object says of a failure."""
    return {"ok": False, "code": error.code, "detail": error.detail, "hint": error.hint}


@contextmanager
def told_as_json(wanted: bool) -> Iterator[None]:
    """Where `wanted`, a failure inside is one JSON object on standard output too; it goes on to be told to people."""
    try:
        yield
    except LapelError as error:
        if wanted:
            typer.echo(json.dumps(as_object(error), ensure_ascii=False))
        raise


def tell(error: LapelError) -> None:
    """The code, the sentence, each thing that is wrong, and the hint, on standard error."""
    typer.secho(f"error: {error.code}: {error.detail}", err=True, fg=typer.colors.RED)
    for entry in error.errors:
        if entry.detail in error.detail:  # said already
            continue
        typer.echo(f"  {entry.pointer or '(whole)'}: {entry.detail}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
