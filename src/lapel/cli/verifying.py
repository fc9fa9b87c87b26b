"""``lapel verify``."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from lapel.bootstrap import open_verifying, start_settings
from lapel.cli.failures import tell
from lapel.cli.files import read_source
from lapel.errors import LapelError
from lapel.services.verifying.report import Outcome, Report

__all__ = ["verify"]

_EXIT = {True: 0, False: 1, None: 2}
_WORD = {True: "valid", False: "NOT valid", None: "could not be told"}
_COLOUR = {True: typer.colors.GREEN, False: typer.colors.RED, None: typer.colors.YELLOW}
_MARK = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.WARN: "!", Outcome.UNKNOWN: "?", Outcome.SKIP: "–"}


def verify(
    source: Annotated[str, typer.Argument(metavar="FILE|URL|-", help="JSON, JWS, PNG or SVG; - for standard input.")],
    recipient: Annotated[
        str | None, typer.Option(help="Whose badge it should be: an e-mail address, DID or URL.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Verify a badge. Exits with 0 if it is valid, 1 if it is not, 2 if it could not be told."""
    try:
        report = asyncio.run(_verify(source, recipient))
    except LapelError as error:
        tell(error)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        _show(report)
    raise typer.Exit(_EXIT[report.valid])


async def _verify(source: str, recipient: str | None) -> Report:
    async with open_verifying(start_settings(quiet=True)) as verifying:
        if source.startswith(("https://", "http://")):
            return await verifying.verify_url(source, expected_recipient=recipient)
        return await verifying.verify(read_source(source), expected_recipient=recipient)


def _show(report: Report) -> None:
    shown = report.shown
    for name, value in (
        ("Badge", shown.name),
        ("Issuer", shown.issuer_name or shown.issuer_id),
        ("Recipient", shown.recipient),
        ("Valid from", shown.valid_from),
        ("Valid until", shown.valid_until),
    ):
        if value:
            typer.echo(f"{name:<12} {_printable(value)}")
    for check in report.checks:
        detail = f" ({_printable(check.detail)})" if check.detail and check.outcome is not Outcome.PASS else ""
        typer.echo(f"  {_MARK[check.outcome]} {check.code.value:<13} {_printable(check.sentence)}{detail}")
    typer.secho(
        f"This badge is {_WORD[report.valid]}."
        if report.valid is not None
        else "Whether this badge is valid could not be told.",
        fg=_COLOUR[report.valid],
        bold=True,
    )


def _printable(text: str) -> str:
    """A stranger's text without what could steer a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:500])
