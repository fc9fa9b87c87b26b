"""``lapel db copy``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lapel.cli.arguments import JsonOption
from lapel.cli.db.addresses import database_at
from lapel.cli.failures import errors_as_json

if TYPE_CHECKING:
    from rich.progress import Progress

    from lapel.maintenance.copying import Copied

__all__ = ["copy_database"]


def copy_database(
    source: Annotated[str, typer.Argument(help="A path, postgresql://…, MODULE:ADDRESS, or env:NAME.")],
    target: Annotated[str, typer.Argument(help="The same, for a database that is empty or does not exist yet.")],
    as_json: JsonOption = False,
) -> None:
    """Copy a whole database into an empty one, of any kind, and prove that both hold the same.

    The source is copied as it is at one moment. A server may keep running; what it writes after that moment is not
    copied. The target stays empty until it holds everything: if a copy is interrupted, run the same command again.
    With env:NAME the address is read from the environment, so that no password is on the command line.
    """
    with errors_as_json(as_json):
        _copy(source, target, as_json=as_json)


def _copy(source: str, target: str, *, as_json: bool) -> None:
    import asyncio

    import msgspec

    from lapel.bootstrap import start_settings
    from lapel.domain.clock import system_clock
    from lapel.maintenance.copying import copy, errors_about
    from lapel.verifier import contexts_of

    contexts = contexts_of(start_settings(min_log_level="warning"))
    with errors_about("source"):
        source_database = database_at(source)
    with errors_about("target"):
        target_database = database_at(target, serves=True, make=True)  # as a server, so that none can start on it

    async def work() -> Copied:
        with _progress() as progress:
            return await copy(
                source_database, target_database, contexts=contexts, clock=system_clock, progress=progress
            )

    copied = asyncio.run(work())
    if as_json:
        typer.echo(msgspec.json.encode({"ok": True, **msgspec.to_builtins(copied)}).decode())
    else:
        for line in _report(copied):
            typer.echo(line)


class _Bar:
    """Implements `lapel.maintenance.copying.Progress` on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("connect", total=None)

    def between(self, source: str, target: str) -> None:
        typer.echo(f"From {source}\n  to {target}", err=True)

    def begin(self, doing: str, rows: int) -> None:
        self._progress.stop_task(self._task)
        self._task = self._progress.add_task(doing, total=rows)

    def advance(self, rows: int) -> None:
        self._progress.advance(self._task, rows)


@contextmanager
def _progress() -> Iterator[_Bar]:
    """Show a progress bar, if standard error is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=4) as progress:
        yield _Bar(progress)


def _report(copied: Copied) -> Iterator[str]:
    yield f"{'table':<20} {'rows':>12}  digest of both sides"
    for table in copied.tables:
        yield f"{table.table:<20} {table.rows:>12,}  {table.digest}"
    sampled, good = copied.verified.sampled, copied.verified.good
    yield ""
    yield f"Copied {copied.rows:,} rows as they were at {copied.as_of:%Y-%m-%d %H:%M:%S} UTC; both sides hold the same."
    yield f"Of {sampled:,} sampled credentials, {good:,} verify with the keys that were copied with them."
    yield "The new server needs the same LAPEL_PUBLIC_URL, and the master key, under which signing keys stay encrypted:"
    yield "LAPEL_MASTER_KEY or LAPEL_MASTER_KEY_FILE. Where the old one has neither set, it is in the file beside its"
    yield "database whose name ends with .master-key."
