"""``lapel db``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import typer

from lapel.cli.failures import as_object, tell, told_as_json
from lapel.cli.running import PATIENCE_SECONDS
from lapel.domain.json import JsonObject
from lapel.errors import LapelError, Unavailable

__all__ = ["app"]

app = typer.Typer(help="Manage the database: migrate, check, back up, restore, copy.", no_args_is_help=True)


@app.command(epilog="Example: lapel db migrate")
def migrate() -> None:
    """Bring the database's tables up to this version. Safe to run again, and by two at once."""
    import asyncio

    from lapel.bootstrap import open_database, start_settings

    async def work() -> None:
        database = open_database(start_settings(least="warning"), patience=PATIENCE_SECONDS)
        await database.connect()
        try:
            before = await database.migration_status()
            status = await database.migrate()
        finally:
            await database.disconnect()
        if before.current == status.current:
            typer.echo(f"The database is at {status.current} already.")
        else:
            typer.echo(f"The database is at {status.current} (it was {before.current or 'empty'}).")

    asyncio.run(work())


@app.command(epilog="Example: lapel db status --json")
def status(
    in_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
) -> None:
    """Show where the database is, whether it answers, its schema and settings, whether the configured master key opens
    its private keys, and a running server's counters.

    Exits with 1 if it does not answer, its tables are not up to date, or the master key is not its own.
    """
    with told_as_json(in_json):
        _show_status(in_json)


def _show_status(in_json: bool) -> None:
    import asyncio

    from lapel.bootstrap import master_key_of, open_database, reason_of, start_settings
    from lapel.cli.db.status import address_of, as_text, ask_server
    from lapel.maintenance.copying import unfinished_copy
    from lapel.maintenance.recovering import prepared_in
    from lapel.maintenance.stored_keys import KeyStanding, key_standing

    settings = start_settings(least="error")  # what would be warned of is shown
    database = open_database(settings, make=False, patience=PATIENCE_SECONDS)

    async def ask() -> tuple[JsonObject, Sequence[str], Mapping[str, datetime], KeyStanding | None, LapelError | None]:
        try:
            await database.connect()
            health = await database.health()
            pending = (await database.migration_status()).pending
            key = await key_standing(database, lambda: master_key_of(settings, database))
            return health.to_json(), pending, await prepared_in(database), key, await unfinished_copy(database)
        except Unavailable as error:
            return (await database.health()).to_json(), (), {}, None, error
        finally:
            await database.disconnect()

    health, pending, prepared, key, failure = asyncio.run(ask())
    shown_to_server = settings.metrics_key.get_secret_value() if settings.metrics_key else None
    server = ask_server(settings.host, settings.port, key=shown_to_server)
    shown = database.configuration()
    wrong = key.wrong if key else None
    reason = reason_of(failure) if failure else None
    if in_json:
        counted = server.to_json() if server else None
        told = as_object(failure) if failure else {"ok": health["ok"] and not pending and wrong is None}
        told = {
            **told,
            "reason": reason,
            "database": health,
            "pending": pending,
            "masterKey": key.to_json() if key else None,
            "prepared": {name: since.isoformat() for name, since in prepared.items()},
            "settings": dict(shown),
            "server": counted,
        }
        typer.echo(json.dumps(told, indent=2))
    else:
        for line in as_text(health, pending, prepared, shown, server, reason=reason, key=str(key) if key else None):
            typer.echo(line)
        if server is None:
            typer.echo(
                f"No server answers at {address_of(settings.host, settings.port)}: there are no counters to show."
                "\nSet LAPEL_PORT to the port that it was started with (and LAPEL_HOST to its host)."
            )
    if failure is not None:
        tell(failure)
    elif pending:
        typer.echo("hint: Run `lapel db migrate`.", err=True)
    if wrong is not None:
        tell(wrong)
    if failure or not health["ok"] or pending or wrong:
        raise typer.Exit(1)
