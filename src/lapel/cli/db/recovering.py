"""``lapel db recover``."""

from __future__ import annotations

from typing import Annotated

import typer

from lapel.cli.arguments import JsonOption
from lapel.cli.db.addresses import database_at
from lapel.cli.failures import errors_as_json
from lapel.cli.printable import printable_json
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
    as_json: JsonOption = False,
) -> None:
    """Settle what distributed transactions have left prepared: commit it where that was decided, else roll it back.

    The configured database always takes part; name every other one that may be involved. Only transactions that Lapel
    has prepared are touched. Exits with 1 if anything could not be settled.
    """
    with errors_as_json(as_json):
        _recover(databases or [], as_json)


def _recover(urls: list[str], as_json: bool) -> None:
    import asyncio

    from lapel.bootstrap import open_database, start_settings
    from lapel.maintenance.recovering import recover

    own = open_database(start_settings(min_log_level="warning"), make=False, patience=PATIENCE_SECONDS)
    transactions = asyncio.run(recover([own, *map(database_at, urls)]))
    all_settled = all(transaction.settlement != "left" for transaction in transactions)
    if as_json:
        report = {"ok": all_settled, "transactions": [transaction.to_json() for transaction in transactions]}
        typer.echo(printable_json(report))
    else:
        for transaction in transactions:
            reason = f" ({transaction.reason})" if transaction.reason else ""
            typer.echo(f"{transaction.settlement}: {transaction.name or 'all'} in {transaction.database}{reason}")
        typer.echo("No prepared transaction of Lapel's is left." if all_settled else "Not everything could be settled.")
    if not all_settled:
        raise typer.Exit(1)
