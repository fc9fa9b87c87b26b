"""``lapel db check``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lapel.cli.failures import told_as_json
from lapel.cli.running import PATIENCE_SECONDS

__all__ = ["check"]


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for a program.")] = False,
) -> None:
    """Compare the database's tables with this version's, and look for damaged data.

    Everything is read once and nothing is changed; a server may keep running. What somebody else has added to the
    database is reported as a note. Exits with 1 if anything is wrong.
    """
    with told_as_json(as_json):
        _check(as_json)


def _check(as_json: bool) -> None:
    import asyncio

    from msgspec import to_builtins
    from rich.console import Console

    from lapel.bootstrap import open_database, start_settings
    from lapel.maintenance import checking
    from lapel.maintenance.copying import unfinished_copy

    database = open_database(start_settings(least="warning"), make=False, patience=PATIENCE_SECONDS)
    with Console(stderr=True).status("Connecting") as progress:

        async def work() -> list[checking.Finding]:
            await database.connect()
            try:
                if (unfinished := await unfinished_copy(database)) is not None:
                    raise unfinished
                found = checking.check(database, lambda step: progress.update(f"Checking {step}"))
                return [finding async for finding in found]
            finally:
                await database.disconnect()

        findings = asyncio.run(work())
    is_good = all(finding.is_note for finding in findings)
    if as_json:
        report = {"ok": is_good, "module": database.module_name, "findings": to_builtins(findings)}
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        for finding in findings:
            typer.echo(f"{'note' if finding.is_note else 'error'}: {finding.code}: {finding.detail}")
            typer.echo(f"  hint: {finding.hint}")
        typer.echo("The database is sound." if is_good else "The database is not sound.")
    if not is_good:
        raise typer.Exit(1)
