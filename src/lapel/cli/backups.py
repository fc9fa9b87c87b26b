"""``lapel db backup`` and ``lapel db restore``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.running import PATIENCE_SECONDS
from lapel.domain.addresses import PUBLIC_URL_FACT
from lapel.domain.clock import format_timestamp
from lapel.errors import InvalidInput

if TYPE_CHECKING:  # importing these takes seconds, which `lapel --help` need not
    from lapel.config import Settings
    from lapel.maintenance.backing_up import BackedUp, Backup
    from lapel.maintenance.examining import Database, Examined, Services
    from lapel.maintenance.restoring import Restored
    from lapel.services.keys.master_key import KeptMasterKey

__all__ = ["backup", "restore"]

_SHOWN = 20


@dataclass(frozen=True)
class _Surroundings:
    """`lapel.maintenance.examining.Surroundings`, as the settings say."""

    settings: Settings
    configured: Database

    def open(self, file: Path) -> Database:
        from lapel.bootstrap import open_database

        settings = self.settings.model_copy(update={"sqlite_file": str(file)})
        return open_database(settings, make=False, patience=PATIENCE_SECONDS)

    @asynccontextmanager
    async def services(self, database: Database) -> AsyncIterator[Services]:
        from lapel.bootstrap import build

        kept = await database.read().server_facts.find(PUBLIC_URL_FACT)
        address = self.settings.public_url if kept is None else kept.decode()
        settings = self.settings.model_copy(update={"public_url": address, "signing_process": False})
        async with build(settings, database=database, master_key=self.master_key()) as application:
            yield application.services

    def master_key(self) -> KeptMasterKey:
        from lapel.bootstrap import master_key_of

        return master_key_of(self.settings, self.configured)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the backup is to be.")],
    replace: Annotated[bool, typer.Option("--replace", help="In place of a backup that is there.")] = False,
    key_file: Annotated[
        Path | None,
        typer.Option("--with-master-key", metavar="KEYFILE", help="Also write the master key there, apart from it."),
    ] = None,
) -> None:
    """Copy the database, as it is at one moment, to a file; a server may go on writing meanwhile.

    The copy is read as a whole and verified before it is there. The master key is not in it: whoever has both can sign
    in your name, and without its key the backup is worth nothing.
    """
    from lapel.bootstrap import open_database, start_settings
    from lapel.maintenance.backing_up import Backup, back_up, own_file_of

    settings = start_settings(least="warning")
    database = open_database(settings, make=False, patience=PATIENCE_SECONDS)
    own_file_of(database, file)
    wanted = Backup(file=file, replace=replace, key_file=key_file)
    surroundings = _Surroundings(settings, database)

    async def work() -> BackedUp:
        await database.connect()
        try:
            with _shown("Copying") as (advance, tell):
                return await back_up(database, wanted, surroundings, advance=advance, tell=tell)
        finally:
            await database.disconnect()

    _tell_backed_up(wanted, asyncio.run(work()))


def restore(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="What `lapel db backup` has made.", show_default=False)
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Instead: the database has been put back by its own tools already.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Do not keep the database that was there beside the new one.")
    ] = False,
) -> None:
    """Put a backup in the place of the database, once all of it is verified. No server may be running on it.

    A backup of an earlier version is brought up to date. What was erased since then is erased again, API keys that were
    revoked are revoked again, and no position in a status list is given out a second time.
    """
    from lapel.bootstrap import open_database, start_settings
    from lapel.maintenance.restoring import make_safe
    from lapel.maintenance.restoring import restore as put_back

    if in_place is (file is not None):
        raise InvalidInput("Give either FILE or --in-place.", hint="`lapel db restore --help` says what they mean.")
    settings = start_settings(least="warning")
    database = open_database(settings, make=False, patience=PATIENCE_SECONDS)
    surroundings = _Surroundings(settings, database)

    async def work() -> Restored:
        with _shown("Copying") as (advance, tell):
            if file is not None:
                return await put_back(database, file, surroundings, keep=not discard, advance=advance, tell=tell)
            await database.connect()
            try:
                return await make_safe(database, surroundings, tell=tell)
            finally:
                await database.disconnect()

    _tell_restored(asyncio.run(work()))


@contextmanager
def _shown(first: str) -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """Shows how far something is, and then which step it is at."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(first, total=None)
        yield (
            lambda done, total: progress.update(task, completed=done, total=total),
            lambda step: progress.update(task, description=f"Looking at {step}", completed=0, total=None),
        )


def _tell_backed_up(wanted: Backup, made: BackedUp) -> None:
    typer.echo(
        f"Backed up to {wanted.file}: what was committed by {format_timestamp(made.moment)}; {made.size:,} bytes."
    )
    _tell_held(made.holds)
    if made.key is None:
        assert made.trouble is not None
        typer.echo(f"warning: {made.trouble.code}: {made.trouble.detail}", err=True)
        typer.echo("The master key is not in it, and is not known here: keep a copy of the one that the server uses.")
        return
    if wanted.key_file is not None:
        typer.echo(f"Its master key is in {wanted.key_file}: keep the two apart, for whoever has both can sign.")
        return
    place = made.key.file or "LAPEL_MASTER_KEY"
    typer.echo(f"The master key is not in it. It is in {place}: keep a copy of it elsewhere, as both are needed.")


def _tell_restored(restored: Restored) -> None:
    holds, carried = restored.holds, restored.carried
    until = "" if holds.newest is None else f", as it was when it was last changed, at {format_timestamp(holds.newest)}"
    typer.echo(f"Restored{f' to {restored.file}' if restored.file else ''}{until}.")
    _tell_held(holds)
    if restored.was != holds.revision:
        typer.echo(f"The backup was of schema {restored.was}; it was migrated.")
    if restored.kept is not None:
        typer.echo(f"The database that was there is {restored.kept}.")
    if carried is not None:
        typer.echo(
            f"Taken away again: {carried.erased:,} erased credentials, {carried.api_keys:,} API keys,"
            f" {carried.signing_keys:,} compromised signing keys."
        )
    else:
        typer.echo("What was erased and revoked since the backup is not known here, and has to be again.")
    if carried is not None and carried.valid_again:
        shown, more = carried.valid_again[:_SHOWN], len(carried.valid_again) - _SHOWN
        typer.echo("Revoked since the backup, and valid again: revoke these again if they are to be.")
        for credential_id in shown:
            typer.echo(f"  {credential_id}")
        if more > 0:
            typer.echo(f"  and {more:,} more")
    typer.echo(
        "What was issued since the backup is not known any more, and requests of since then count as new."
        f" Status lists closed, so that no position is given out twice: {restored.closed:,}."
    )


def _tell_held(holds: Examined) -> None:
    rows, credentials = sum(holds.rows.values()), holds.rows.get("credentials", 0)
    typer.echo(
        f"Verified: schema {holds.revision}, {rows:,} rows;"
        f" of {credentials:,} credentials {holds.verified:,} one by one."
    )
