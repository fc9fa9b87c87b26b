"""``lapel db recover``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lapel.cli.db.places import database_at
from lapel.cli.failures import told_as_json
from lapel.cli.running import PATIENCE_SECONDS

__all__ = ["recover"]


def recover(
    databases: Annotated[
        list[str] | None,
        typer.Option(
            "--database",
            help="Another database that takes part: its URL, or env:NAME for one in the environment. May be repeated.",
            metavar="URL",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for a program.")] = False,
) -> None:
    """Settle what distributed transactions have left prepared: commit it where that was decided, else roll it back.

    The configured database always takes part; name every other one that may be involved. Only transactions that Lapel
    has prepared are touched. Exits with 1 if anything could not be settled.
    """
    with told_as_json(as_json):
        _recover(databases or [], as_json)


def _recover(urls: list[str], as_json: bool) -> None:
    import asyncio

    from lapel.bootstrap import open_database, start_settings
    from lapel.maintenance.recovering import recover

    own = open_database(start_settings(least="warning"), make=False, patience=PATIENCE_SECONDS)
    found = asyncio.run(recover([own, *map(database_at, urls)]))
    left = [one for one in found if one.settlement == "left"]
    if as_json:
        typer.echo(json.dumps({"ok": not left, "transactions": [one.to_json() for one in found]}, ensure_ascii=False))
    else:
        for one in found:
            reason = f" ({one.reason})" if one.reason else ""
            typer.echo(f"{one.settlement}: {one.name or 'all'} in {one.database}{reason}")
        typer.echo("No prepared transaction of Lapel's is left." if not left else "Not everything could be settled.")
    if left:
        raise typer.Exit(1)
