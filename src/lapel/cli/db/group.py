"""``lapel db``, with ``migrate`` and ``status``."""

from __future__ import annotations

import typer

from lapel.cli.arguments import JsonOption
from lapel.cli.failures import error_object, errors_as_json, print_error
from lapel.cli.printable import printable_json
from lapel.cli.running import PATIENCE_SECONDS

__all__ = ["app"]

app = typer.Typer(help="Manage the database: migrate, check, back up, restore, copy.", no_args_is_help=True)


@app.command(epilog="Example: lapel db migrate")
def migrate() -> None:
    """Bring the database's tables up to this version. Safe to run again, and by two at once."""
    import asyncio

    from lapel.bootstrap import open_database, start_settings

    async def work() -> None:
        database = open_database(start_settings(min_log_level="warning"), patience=PATIENCE_SECONDS)
        await database.connect()
        try:
            before = await database.migration_status()
            status = await database.migrate()
        finally:
            await database.disconnect()
        # Says which one, so that nobody migrates another than the server's unawares, for want of its settings.
        which = f"The database ({database.module_name} {database.manager.address})"
        if before.current == status.current:
            typer.echo(f"{which} is at {status.current} already.")
        else:
            typer.echo(f"{which} is at {status.current} (it was {before.current or 'empty'}).")

    asyncio.run(work())


@app.command(epilog="Example: lapel db status --json")
def status(
    as_json: JsonOption = False,
) -> None:
    """Show where the database is, whether it answers, its schema and settings, whether the configured master key opens
    its private keys, and a running server's counters.

    Exits with 1 if it does not answer, its tables are not up to date, or the master key is not its own.
    """
    with errors_as_json(as_json):
        _show_status(as_json)


def _show_status(as_json: bool) -> None:
    import asyncio

    from lapel.bootstrap import master_key_of, open_database, reason_of, start_settings
    from lapel.cli.db.status import address_of, as_text, ask_database, ask_server

    settings = start_settings(min_log_level="error")  # the output itself shows what a warning would say
    database = open_database(settings, make=False, patience=PATIENCE_SECONDS)
    state = asyncio.run(ask_database(database, lambda: master_key_of(settings, database)))
    metrics_key = settings.metrics_key.get_secret_value() if settings.metrics_key else None
    server = ask_server(settings.host, settings.port, key=metrics_key)
    configuration = database.configuration()
    reason = reason_of(state.failure) if state.failure else None
    if as_json:
        report = {
            **(error_object(state.failure) if state.failure else {"ok": state.ok}),
            "reason": reason,
            **state.to_json(),
            "settings": dict(configuration),
            "server": server.to_json() if server else None,
        }
        typer.echo(printable_json(report, indent=2))
    else:
        for line in as_text(state, configuration, server, reason=reason):
            typer.echo(line)
        if server is None:
            typer.echo(
                f"No server answers at {address_of(settings.host, settings.port)}: there are no counters to show."
                "\nSet LAPEL_PORT to the port that it was started with (and LAPEL_HOST to its host)."
            )
    if state.failure is not None:
        print_error(state.failure)
    elif state.pending:
        typer.echo("hint: Run `lapel db migrate`.", err=True)
    if state.key_error is not None:
        print_error(state.key_error)
    if not state.ok:
        raise typer.Exit(1)
