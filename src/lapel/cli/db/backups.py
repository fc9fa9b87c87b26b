"""``lapel db backup`` and ``lapel db restore``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.arguments import JsonOption
from lapel.cli.db.backup_reports import print_backup, print_restored
from lapel.cli.failures import errors_as_json
from lapel.cli.running import PATIENCE_SECONDS
from lapel.domain.addresses import PUBLIC_URL_FACT
from lapel.errors import InvalidInput

if TYPE_CHECKING:  # importing these takes seconds, which `lapel --help` need not
    from lapel.config import Settings
    from lapel.maintenance.backing_up import BackedUp
    from lapel.maintenance.examining import Database, Services
    from lapel.maintenance.restoring import Restored
    from lapel.services.keys.master_key import StoredMasterKey

__all__ = ["backup", "restore"]


@dataclass(frozen=True)
class _Installation:
    """Implements `lapel.maintenance.examining.Installation` by the settings."""

    settings: Settings
    configured: Database

    def open(self, file: Path) -> Database:
        from lapel.bootstrap import open_database

        settings = self.settings.model_copy(update={"sqlite_file": str(file)})
        return open_database(settings, make=False, patience=PATIENCE_SECONDS)

    @asynccontextmanager
    async def services(self, database: Database) -> AsyncIterator[Services]:
        from lapel.bootstrap import build

        stored = await database.read().server_facts.find(PUBLIC_URL_FACT)
        public_url = self.settings.public_url if stored is None else stored.decode()
        settings = self.settings.model_copy(update={"public_url": public_url, "signing_process": False})
        async with build(settings, database=database, master_key=self.master_key()) as application:
            yield application.services

    def master_key(self) -> StoredMasterKey:
        from lapel.bootstrap import master_key_of

        return master_key_of(self.settings, self.configured)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace an existing backup.")] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--with-master-key", metavar="KEYFILE", help="Also write the master key, to this file: keep the two apart."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the database to a file, as it is at one moment. A server may keep running meanwhile.

    The whole copy is read and verified before it gets its name. The master key is not in it: without that key the
    backup is worthless, and whoever has both can sign in your name.
    """
    with errors_as_json(as_json):
        _back_up(file, replace=replace, key_file=key_file, as_json=as_json)


def _back_up(file: Path, *, replace: bool, key_file: Path | None, as_json: bool) -> None:
    import asyncio

    from lapel.bootstrap import open_database, start_settings
    from lapel.maintenance.backing_up import Backup, back_up, own_file_of

    settings = start_settings(min_log_level="warning")
    database = open_database(settings, make=False, patience=PATIENCE_SECONDS)
    own_file_of(database, file)
    requested = Backup(file=file, replace=replace, key_file=key_file)
    installation = _Installation(settings, database)

    async def work() -> BackedUp:
        await database.connect()
        try:
            with _progress("Copying") as (advance, begin_step):
                return await back_up(database, requested, installation, advance=advance, begin_step=begin_step)
        finally:
            await database.disconnect()

    print_backup(requested, asyncio.run(work()), as_json=as_json)


def restore(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A file made by `lapel db backup`.", show_default=False)
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Instead of FILE: the database's own tools have already restored it.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Do not keep the previous database beside the new one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Replace the database with a backup, once the whole backup is verified. Stop the server first.

    A backup made by an earlier version is migrated. Recipients that were erased since then are erased again, API keys
    that were revoked are revoked again, and no position in a status list is given out a second time.
    """
    with errors_as_json(as_json):
        if in_place is (file is not None):
            raise InvalidInput("Give either FILE or --in-place.", hint="`lapel db restore --help` explains them.")
        _restore(file, keep=not discard, as_json=as_json)


def _restore(file: Path | None, *, keep: bool, as_json: bool) -> None:
    import asyncio

    from lapel.bootstrap import open_database, start_settings
    from lapel.maintenance.restoring import make_safe
    from lapel.maintenance.restoring import restore as put_back

    settings = start_settings(min_log_level="warning")
    database = open_database(settings, make=False, patience=PATIENCE_SECONDS)
    installation = _Installation(settings, database)

    async def work() -> Restored:
        with _progress("Copying") as (advance, begin_step):
            if file is not None:
                return await put_back(database, file, installation, keep=keep, advance=advance, begin_step=begin_step)
            await database.connect()
            try:
                return await make_safe(database, installation, begin_step=begin_step)
            finally:
                await database.disconnect()

    print_restored(asyncio.run(work()), as_json=as_json)


@contextmanager
def _progress(first_step: str) -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """Show a progress bar on a terminal.

    Yields:
        A function for how much of the first step is done, and of what total; and one that begins a further step.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(first_step, total=None)
        yield (
            lambda done, total: progress.update(task, completed=done, total=total),
            lambda step: progress.update(task, description=f"Checking {step}", completed=0, total=None),
        )
