"""The run over all rows of a file."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lapel.bootstrap import Application
from lapel.cli.issuing.award_file import AwardFile, Record
from lapel.cli.issuing.columns import request_of, sentence
from lapel.cli.issuing.left_out import LeftOut
from lapel.cli.issuing.output import IssuedFiles, check_output, partial_output
from lapel.cli.issuing.seen import SeenRows
from lapel.cli.running import OPERATOR
from lapel.domain.credential import CredentialFormat
from lapel.openbadges.problems import Problems
from lapel.services.issuing.bulk_issuing import Row, RowOutcome, key_of_id, key_of_position

__all__ = ["Wanted", "issue_all"]

_BATCH: Final = 250
"""Rows that share a transaction. On SQLite everybody else's writing waits for it, some ten milliseconds."""
_AT_ONCE: Final = 4
"""Batches under way: while one is being stored, the next one is signed, and the one after that is read."""
_BETWEEN_COLLECTIONS: Final = 16
"""Batches between two rounds of the garbage collector, for which there is little to find."""
_SHOWN: Final = 3

_log = structlog.get_logger("lapel.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command was told; see `lapel.cli.issuing.command.issue`."""

    achievement: str
    format: CredentialFormat
    dry_run: bool
    output: Path | None
    images: bool
    errors: Path | None


@dataclass(slots=True)
class _Counted:
    issued: int = 0
    before: int = 0
    drafts: list[str] = field(default_factory=list)


async def issue_all(application: Application, award_file: AwardFile, wanted: Wanted) -> int:
    """Issue every row, and tell how it went. Returns how many rows were left out.

    Raises:
        NotFound: there is no such achievement.
        BadOutput: what is issued cannot be written where it is wanted; nothing is issued.
        AwardFileChanged: the file was changed meanwhile.
        Unavailable: the database is away; the same command goes on later.
    """
    for warning in application.settings.warnings:
        _log.warning(warning)
    achievement = await application.bulk_issuing.achievement(OPERATOR, wanted.achievement)
    if wanted.output is not None:
        check_output(wanted.output, make=not wanted.dry_run)
    left_out, counted = LeftOut(award_file, wanted.errors), _Counted()
    partials = [*left_out.partials, *(partial_output(wanted.output) if wanted.output is not None else ())]
    try:
        with ExitStack() as stack:
            stack.enter_context(left_out)
            stack.enter_context(_collecting_between_batches())
            files = stack.enter_context(_files(application, wanted))
            advance = stack.enter_context(_progress(award_file.rows))
            run = _Run(application, award_file, wanted, achievement.id, left_out, counted, files)
            await _take_all(run, award_file, advance, at_once=1 if wanted.dry_run else _AT_ONCE)
    except BaseException:
        if not wanted.dry_run:
            typer.echo(
                f"Stopped: {counted.issued + counted.before:,} of {award_file.rows:,} rows are issued, or a few more."
                " Run the same command again to continue."
                + (" Rows with mistakes are written to a file once it has come to the end." if left_out.count else ""),
                err=True,
            )
        raise
    _tell(award_file, wanted, left_out, counted)
    for partial in dict.fromkeys(partials):
        if partial.exists():
            typer.echo(
                f"{partial} was left by a run that was killed, or belongs to one that is still under way.", err=True
            )
    return left_out.count


async def _take_all(run: _Run, award_file: AwardFile, advance: Callable[[int], None], *, at_once: int) -> None:
    """Every batch, the results in the order of the rows."""
    under_way: deque[_Batch] = deque()
    records = award_file.records()
    number = 0
    try:
        while batch := list(islice(records, _BATCH)):
            award_file.check_unchanged()
            under_way.append(run.begin(batch))
            if len(under_way) == at_once:
                advance(await run.end(under_way.popleft()))
                number += 1
                if number % _BETWEEN_COLLECTIONS == 0:
                    gc.collect()
        while under_way:
            advance(await run.end(under_way.popleft()))
    finally:
        records.close()
        for one in under_way:
            one.outcomes.cancel()
        await asyncio.gather(*(one.outcomes for one in under_way), return_exceptions=True)


@contextmanager
def _collecting_between_batches() -> Iterator[None]:
    """No rounds of the garbage collector but those that are asked for between batches, when little is alive.

    In the middle of one there is much to look at and nothing to find, which takes a twelfth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records that are being issued.

    Attributes:
        problems: what is wrong with each, or None where it has an outcome.
    """

    records: Sequence[Record]
    problems: Sequence[str | None]
    outcomes: asyncio.Task[Sequence[RowOutcome]]


class _Run:
    def __init__(
        self,
        application: Application,
        award_file: AwardFile,
        wanted: Wanted,
        achievement_id: UUID,
        left_out: LeftOut,
        counted: _Counted,
        files: IssuedFiles | None,
    ) -> None:
        self._bulk = application.bulk_issuing
        self._wanted = wanted
        self._digest = award_file.digest
        self._achievement_id = achievement_id
        self._left_out = left_out
        self._counted = counted
        self._files = files
        self._seen = SeenRows(award_file.rows)

    def begin(self, batch: Sequence[Record]) -> _Batch:
        """Start to issue these."""
        rows: list[Row] = []
        problems: list[str | None] = []
        for record in batch:
            row = self._row(record)
            problems.append(row if isinstance(row, str) else None)
            if isinstance(row, Row):
                rows.append(row)
        if self._wanted.dry_run:
            drafts = _SHOWN - len(self._counted.drafts)
            outcomes = self._bulk.preview(OPERATOR, self._achievement_id, rows, drafts=drafts)
        else:
            outcomes = self._bulk.issue(OPERATOR, self._achievement_id, rows)
        return _Batch(batch, problems, asyncio.create_task(outcomes))

    async def end(self, batch: _Batch) -> int:
        """Wait until they are issued, and note how it went. Returns how many there were."""
        outcomes = iter(await batch.outcomes)
        for record, problem in zip(batch.records, batch.problems, strict=True):
            if problem is not None:
                self._left_out.add(record, problem)
                continue
            outcome = next(outcomes)
            if outcome.problems:
                told = "; ".join(sentence(found, record.values) for found in outcome.problems)
                self._left_out.add(record, told)
                continue
            if outcome.draft is not None:
                self._counted.drafts.append(json.dumps(outcome.draft, indent=2, ensure_ascii=False))
            if outcome.credential is not None and not outcome.is_new:
                self._counted.before += 1
            else:
                self._counted.issued += 1
            if outcome.credential is not None and self._files is not None:
                await self._files.add(record, outcome.credential)
        return len(batch.records)

    def _row(self, record: Record) -> Row | str:
        """The row, or what is wrong with it."""
        if record.problem is not None:
            return record.problem
        first = self._seen.first(record.values, record.number)
        if first != record.number:
            if "id" in record.values:
                return f"has the same id as row {first}"
            return f"says the same as row {first}: delete it, or it is awarded twice once the wrong rows are issued"
        problems = Problems()
        request = request_of(
            record.values, achievement=str(self._achievement_id), format=self._wanted.format, problems=problems
        )
        if request is None:
            return "; ".join(sentence(found, record.values) for found in problems.found)
        row_id = record.values.get("id")
        if row_id is not None:
            return Row(key_of_id(self._achievement_id, row_id), request)
        return Row(key_of_position(self._achievement_id, self._digest, record.number), request)


@contextmanager
def _files(application: Application, wanted: Wanted) -> Iterator[IssuedFiles | None]:
    if wanted.output is None or wanted.dry_run:
        yield None
        return
    services = application.services
    picture_of = services.renditions.picture if wanted.images else None
    with IssuedFiles.into(wanted.output, picture_of=picture_of, address_of=services.addresses.credential) as files:
        yield files


@contextmanager
def _progress(rows: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar on a terminal, and nothing elsewhere."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=4) as progress:
        task = progress.add_task("issue", total=rows)
        yield lambda count: progress.advance(task, count)


def _tell(award_file: AwardFile, wanted: Wanted, left_out: LeftOut, counted: _Counted) -> None:
    for draft in counted.drafts:
        typer.echo(draft)
    if wanted.dry_run:
        typer.echo(f"Dry run, nothing is issued: {counted.issued:,} of {award_file.rows:,} rows would be.", err=True)
    else:
        typer.echo(f"Issued {counted.issued:,} credential{'' if counted.issued == 1 else 's'}.", err=True)
    if counted.before:
        were = "row was" if counted.before == 1 else "rows were"
        typer.echo(f"{counted.before:,} {were} issued before.", err=True)
    if left_out.count:
        told = "1 row is wrong and was" if left_out.count == 1 else f"{left_out.count:,} rows are wrong and were"
        typer.secho(f"{told} left out:", err=True, fg=typer.colors.RED)
        for line in left_out.shown:
            typer.echo(f"  {line}", err=True)
        if (more := left_out.count - len(left_out.shown)) > 0:
            typer.echo(f"  and {more:,} more", err=True)
        typer.echo(f"They are in {left_out.path}: correct them there, and issue that file.", err=True)
        if left_out.stands_beside:
            typer.echo("The file that had that name already is unchanged.", err=True)
