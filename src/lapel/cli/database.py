"""``lapel db``."""

from __future__ import annotations

import asyncio

import typer

from lapel.cli.failures import tell
from lapel.cli.running import PATIENCE_SECONDS
from lapel.errors import Unavailable

__all__ = ["app"]

app = typer.Typer(help="The database: its schema and its health.", no_args_is_help=True)


@app.command(epilog="Example: lapel db migrate")
def migrate() -> None:
    """Bring the database's tables to those of this version. Safe to run again, and by two at once."""
    from lapel.bootstrap import open_database, start_settings

    async def work() -> None:
        database = open_database(start_settings(quiet=True), patience=PATIENCE_SECONDS)
        await database.connect()
        try:
            before = await database.migration_status()
            status = await database.migrate()
        finally:
            await database.disconnect()
        if before.current == status.current:
            typer.echo(f"The database is at {status.current}, as it was.")
        else:
            typer.echo(f"The database is at {status.current} (before: {before.current or 'empty'}).")

    asyncio.run(work())


@app.command(epilog="Example: lapel db status")
def status() -> None:
    """Say which database is used, whether it answers, and whether its tables are up to date. Exits with 1 if not."""
    from lapel.bootstrap import open_database, start_settings

    database = open_database(start_settings(quiet=True), make=False, patience=PATIENCE_SECONDS)

    async def work() -> bool:
        await database.connect()
        try:
            health = await database.health()
            schema = await database.migration_status()
            shown = {
                "module": health.module,
                "state": health.state.value,
                "server": health.server_version or "unknown",
                "latency": f"{health.latency_ms:.1f} ms" if health.latency_ms is not None else "no answer",
                "schema": schema.current or "empty",
                "pending": ", ".join(schema.pending) or "none",
                **database.configuration(),
            }
        finally:
            await database.disconnect()
        _show(shown)
        if schema.pending:
            typer.echo("hint: run `lapel db migrate`.", err=True)
        return health.ok and not schema.pending

    try:
        good = asyncio.run(work())
    except Unavailable as error:
        _show({"module": database.module_name, "state": "away", **database.configuration()})
        tell(error)
        good = False
    if not good:
        raise typer.Exit(1)


def _show(shown: dict[str, str]) -> None:
    for name, value in shown.items():
        typer.echo(f"{name:<24} {value}")
