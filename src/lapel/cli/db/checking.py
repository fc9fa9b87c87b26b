"""``lapel db check``."""

from __future__ import annotations

import typer

from lapel.cli.arguments import JsonOption
from lapel.cli.failures import errors_as_json
from lapel.cli.printable import printable_json
from lapel.cli.running import PATIENCE_SECONDS

__all__ = ["check"]


def check(
    as_json: JsonOption = False,
) -> None:
    """Compare the database's tables with this version's, look for damaged data, and see whether the configured master
    key opens the private keys.

    Everything is read once and nothing is changed; a server may keep running. What somebody else has added to the
    database is reported as a note. Exits with 1 if anything is wrong.
    """
    with errors_as_json(as_json):
        _check(as_json)


def _check(as_json: bool) -> None:
    import asyncio

    from msgspec import to_builtins
    from rich.console import Console

    from lapel.bootstrap import master_key_of, open_database, start_settings
    from lapel.maintenance import checking
    from lapel.maintenance.copying import unfinished_copy
    from lapel.maintenance.stored_keys import KeyStanding, key_standing

    settings = start_settings(min_log_level="warning")
    database = open_database(settings, make=False, patience=PATIENCE_SECONDS)
    with Console(stderr=True).status("Connecting") as progress:

        async def work() -> tuple[list[checking.Finding], KeyStanding]:
            await database.connect()
            try:
                if (unfinished := await unfinished_copy(database)) is not None:
                    raise unfinished
                results = checking.check(database, lambda step: progress.update(f"Checking {step}"))
                findings = [finding async for finding in results]
                progress.update("Checking the master key")
                return findings, await key_standing(database, lambda: master_key_of(settings, database))
            finally:
                await database.disconnect()

        findings, key = asyncio.run(work())
    if (key_finding := key.finding()) is not None:
        findings.append(key_finding)
    is_good = all(finding.is_note for finding in findings)
    if as_json:
        report = {"ok": is_good, "module": database.module_name, "findings": to_builtins(findings)}
        report["masterKey"] = key.to_json()
        typer.echo(printable_json(report))
    else:
        for finding in findings:
            typer.echo(f"{'note' if finding.is_note else 'error'}: {finding.code}: {finding.detail}")
            typer.echo(f"  hint: {finding.hint}")
        if key_finding is None:
            typer.echo(f"The master key {key}.")
        typer.echo("The database is sound." if is_good else "The database is not sound.")
    if not is_good:
        raise typer.Exit(1)
