"""``lapel verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from lapel.cli.arguments import JsonOption
from lapel.cli.failures import print_error
from lapel.cli.files import read_source
from lapel.cli.loading import loading
from lapel.cli.printable import print_coloured, printable, printable_json
from lapel.domain.verification import Kind, Problem
from lapel.errors import LapelError

if TYPE_CHECKING:
    from lapel.config import Settings
    from lapel.services.verifying.report import Report

__all__ = ["verify"]

_MAX_SHOWN = 500
"""Characters of one text of a stranger's."""
_EXIT = {True: 0, False: 1, None: 2}
_WORD = {True: "valid", False: "NOT valid", None: "unknown"}
_COLOUR = {True: typer.colors.GREEN, False: typer.colors.RED, None: typer.colors.YELLOW}
_MARK = {"pass": "✓", "fail": "✗", "warn": "!", "unknown": "?", "skip": "–"}
_LOOPBACK_HINT = (
    "A server on this machine itself is only asked if you allow it:"
    " use `lapel verify --allow-loopback`, or LAPEL_FETCH_ALLOW_LOOPBACK=true."
)


def verify(
    source: Annotated[str, typer.Argument(metavar="FILE|URL|-", help="JSON, JWS, PNG or SVG; - for standard input.")],
    recipient: Annotated[
        str | None, typer.Option(help="Whose badge it should be: an e-mail address, telephone number, DID or URL.")
    ] = None,
    allow_loopback: Annotated[
        bool,
        typer.Option(
            "--allow-loopback",
            help="Also ask servers on this machine itself, over plain http; like LAPEL_FETCH_ALLOW_LOOPBACK=true.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify a badge.

    Exits with 0 if it is valid, 1 if it is not, 2 if that could not be determined.
    """
    if recipient is not None and not recipient.strip():
        raise typer.BadParameter("Say whom you expect, or leave it out.", param_hint="--recipient")
    with loading():
        import asyncio

        from lapel.verifier import start_settings

    settings = start_settings(min_log_level="warning")
    if allow_loopback:
        settings = settings.model_copy(update={"fetch_allow_loopback": True})
    try:
        report = asyncio.run(_verify(settings, source, recipient))
    except LapelError as error:
        if not settings.fetch_allow_loopback and _is_on_this_machine(source):
            error.hint = _LOOPBACK_HINT
        print_error(error)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(printable_json(report.to_json(), indent=2))
    else:
        _show(report)
    if report.valid is None and not settings.fetch_allow_loopback and _is_on_this_machine(report.shown.issuer_id):
        typer.echo(f"hint: {_LOOPBACK_HINT}", err=True)
    raise typer.Exit(_EXIT[report.valid])


async def _verify(settings: Settings, source: str, recipient: str | None) -> Report:
    from lapel.verifier import open_verifying

    async with open_verifying(settings) as verifying:
        if source.startswith(("https://", "http://")):
            return await verifying.verify_url(source, expected_recipient=recipient)
        return await verifying.verify(read_source(source), expected_recipient=recipient)


def _is_on_this_machine(address: str | None) -> bool:
    from lapel.config.rules import is_loopback_host

    try:
        parts = urlsplit(address or "")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and is_loopback_host((parts.hostname or "").lower())


def _show(report: Report) -> None:
    shown = report.shown
    for name, value in (
        ("Badge", shown.name),
        ("Issuer", shown.issuer_name or shown.issuer_id),
        ("Recipient", shown.recipient),
        ("Awarded", shown.awarded),
        ("Valid from", shown.valid_from),
        ("Valid until", shown.valid_until),
    ):
        if value:
            typer.echo(f"{name:<12} {printable(value[:_MAX_SHOWN])}")
    for check in report.checks:
        detail = f" ({printable(check.detail[:_MAX_SHOWN])})" if check.detail and check.outcome.value != "pass" else ""
        typer.echo(f"  {_MARK[check.outcome.value]} {check.code.value:<13} {printable(check.sentence)}{detail}")
    noun = "endorsement" if shown.kind in (Kind.ENDORSEMENT, Kind.ENDORSEMENT_2) else "badge"
    if any(check.problem is Problem.NOT_A_BADGE for check in report.checks):
        noun = "credential, which is not an Open Badge,"
    print_coloured(
        f"This {noun} is {_WORD[report.valid]}."
        if report.valid is not None
        else f"It could not be determined whether this {noun} is valid.",
        _COLOUR[report.valid],
        err=False,
        bold=True,
    )
