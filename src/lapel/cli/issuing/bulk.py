"""Issue all rows of a file, in batches."""

from __future__ import annotations

import asyncio
import gc
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
from lapel.cli.issuing.columns import describe_problem, request_of
from lapel.cli.issuing.output import IssuedFiles, check_output, find_partial_output
from lapel.cli.issuing.rejected_rows import RejectedRows
from lapel.cli.issuing.seen_rows import SeenRows
from lapel.cli.printable import print_coloured, printable_json
from lapel.domain.access import Principal
from lapel.domain.credential import CredentialFormat
from lapel.openbadges.problems import Problems
from lapel.services.issuing.bulk_issuing import Row, RowOutcome, key_of_id, key_of_position

__all__ = ["IssueOptions", "issue_all"]

_BATCH: Final = 250
"""Rows in one transaction. On SQLite all other writes wait for it, some ten milliseconds."""
_AT_ONCE: Final = 4
"""Batches in progress: while one is being stored, the next one is signed, and the one after that is read."""
_BETWEEN_COLLECTIONS: Final = 16
"""Batches between two garbage collections, which find little."""
_MAX_DRAFTS: Final = 3
"""Credentials that a dry run shows."""

_log = structlog.get_logger("lapel.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOptions:
    """The options of the command; see `lapel.cli.issuing.command.issue`."""

    principal: Principal
    achievement: str
    format: CredentialFormat
    dry_run: bool
    output: Path | None
    images: bool
    errors: Path | None


@dataclass(slots=True)
class _Counts:
    """The rows that were issued now and before; and the credentials of a dry run, as JSON."""

    issued: int = 0
    issued_before: int = 0
    drafts: list[str] = field(default_factory=list)


async def issue_all(application: Application, award_file: AwardFile, options: IssueOptions) -> int:
    """Issue every row, and print the results. Returns the number of rejected rows.

    Raises:
        NotFound: there is no such achievement.
        BadOutput: the output cannot be written; nothing has been issued.
        AwardFileChanged: the file was changed meanwhile.
        Unavailable: the database is away; the same command can continue later.
    """
    for warning in application.settings.warnings:
        _log.warning(warning)
    achievement = await application.bulk_issuing.achievement(options.principal, options.achievement)
    if options.output is not None:
        check_output(options.output, make=not options.dry_run)
    rejected, counts = RejectedRows(award_file, options.errors), _Counts()
    partials = [*rejected.partials, *(find_partial_output(options.output) if options.output is not None else ())]
    try:
        with ExitStack() as stack:
            stack.enter_context(rejected)
            stack.enter_context(_collecting_between_batches())
            files = stack.enter_context(_files(application, options))
            advance = stack.enter_context(_progress(award_file.rows))
            run = _Run(application, award_file, options, achievement.id, rejected, counts, files)
            await _issue_batches(run, award_file, advance, at_once=1 if options.dry_run else _AT_ONCE)
    except BaseException:
        if not options.dry_run:
            issued = counts.issued + counts.issued_before
            typer.echo(
                f"Stopped: {issued:,} of {award_file.rows:,} rows are issued, or a few more."
                " Run the same command again to continue."
                + (" Rows with mistakes are written to a file once it has come to the end." if rejected.count else ""),
                err=True,
            )
        raise
    _print_results(award_file, options, rejected, counts)
    for partial in dict.fromkeys(partials):
        if partial.exists():
            typer.echo(
                f"{partial} was left by a run that was killed, or belongs to one that is still under way.", err=True
            )
    return rejected.count


async def _issue_batches(run: _Run, award_file: AwardFile, advance: Callable[[int], None], *, at_once: int) -> None:
    """Issue every batch, up to `at_once` of them at a time, and record the results in the order of the rows."""
    pending: deque[_Batch] = deque()
    records = award_file.records()
    number = 0
    try:
        while batch := list(islice(records, _BATCH)):
            award_file.check_unchanged()
            pending.append(run.begin(batch))
            if len(pending) == at_once:
                advance(await run.end(pending.popleft()))
                number += 1
                if number % _BETWEEN_COLLECTIONS == 0:
                    gc.collect()
        while pending:
            advance(await run.end(pending.popleft()))
    finally:
        records.close()
        for unfinished in pending:
            unfinished.outcomes.cancel()
        await asyncio.gather(*(unfinished.outcomes for unfinished in pending), return_exceptions=True)


@contextmanager
def _collecting_between_batches() -> Iterator[None]:
    """Disable automatic garbage collection: it is done between batches, when few objects are alive.

    In the middle of a batch the collector examines many objects and finds nothing, which takes a twelfth of the time.
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
        problems: for each record what is wrong with it, or None if it is being issued.
        outcomes: for those that are being issued, in order.
    """

    records: Sequence[Record]
    problems: Sequence[str | None]
    outcomes: asyncio.Task[Sequence[RowOutcome]]


class _Run:
    def __init__(
        self,
        application: Application,
        award_file: AwardFile,
        options: IssueOptions,
        achievement_id: UUID,
        rejected: RejectedRows,
        counts: _Counts,
        files: IssuedFiles | None,
    ) -> None:
        self._bulk = application.bulk_issuing
        self._options = options
        self._digest = award_file.digest
        self._achievement_id = achievement_id
        self._rejected = rejected
        self._counts = counts
        self._files = files
        self._seen = SeenRows(award_file.rows)

    def begin(self, batch: Sequence[Record]) -> _Batch:
        """Start issuing these records."""
        rows: list[Row] = []
        problems: list[str | None] = []
        for record in batch:
            row = self._row(record)
            problems.append(row if isinstance(row, str) else None)
            if isinstance(row, Row):
                rows.append(row)
        if self._options.dry_run:
            drafts = _MAX_DRAFTS - len(self._counts.drafts)
            outcomes = self._bulk.preview(self._options.principal, self._achievement_id, rows, drafts=drafts)
        else:
            outcomes = self._bulk.issue(self._options.principal, self._achievement_id, rows)
        return _Batch(batch, problems, asyncio.create_task(outcomes))

    async def end(self, batch: _Batch) -> int:
        """Wait until a batch is issued, and record its results. Returns the number of its rows."""
        outcomes = iter(await batch.outcomes)
        for record, problem in zip(batch.records, batch.problems, strict=True):
            if problem is not None:
                self._rejected.add(record, problem)
                continue
            outcome = next(outcomes)
            if outcome.problems:
                self._rejected.add(
                    record, "; ".join(describe_problem(each, record.values) for each in outcome.problems)
                )
                continue
            if outcome.draft is not None:
                self._counts.drafts.append(printable_json(outcome.draft, indent=2))
            if outcome.credential is not None and not outcome.is_new:
                self._counts.issued_before += 1
            else:
                self._counts.issued += 1
            if outcome.credential is not None and self._files is not None:
                await self._files.add(record, outcome.credential)
        return len(batch.records)

    def _row(self, record: Record) -> Row | str:
        """Convert a record to a row to issue; returns what is wrong with it if that is not possible."""
        if record.problem is not None:
            return record.problem
        first = self._seen.first(record.values, record.number)
        if first != record.number:
            if "id" in record.values:
                return f"has the same id as row {first}"
            return f"says the same as row {first}: delete it, or it is awarded twice once the wrong rows are issued"
        problems = Problems()
        request = request_of(
            record.values, achievement=str(self._achievement_id), format=self._options.format, problems=problems
        )
        if request is None:
            return "; ".join(describe_problem(each, record.values) for each in problems.found)
        row_id = record.values.get("id")
        if row_id is not None:
            return Row(key_of_id(self._achievement_id, row_id), request)
        return Row(key_of_position(self._achievement_id, self._digest, record.number), request)


@contextmanager
def _files(application: Application, options: IssueOptions) -> Iterator[IssuedFiles | None]:
    if options.output is None or options.dry_run:
        yield None
        return
    services = application.services
    picture_of = services.renditions.picture if options.images else None
    with IssuedFiles.into(options.output, picture_of=picture_of, address_of=services.addresses.credential) as files:
        yield files


@contextmanager
def _progress(rows: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar, if standard error is a terminal. Yields the function that advances it."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=4) as progress:
        task = progress.add_task("issue", total=rows)
        yield lambda count: progress.advance(task, count)


def _print_results(award_file: AwardFile, options: IssueOptions, rejected: RejectedRows, counts: _Counts) -> None:
    for draft in counts.drafts:
        typer.echo(draft)
    if options.dry_run:
        typer.echo(f"Dry run, nothing is issued: {counts.issued:,} of {award_file.rows:,} rows would be.", err=True)
    else:
        typer.echo(f"Issued {counts.issued:,} credential{'' if counts.issued == 1 else 's'}.", err=True)
    if counts.issued_before:
        were = "row was" if counts.issued_before == 1 else "rows were"
        typer.echo(f"{counts.issued_before:,} {were} issued before.", err=True)
    if rejected.count:
        were = "1 row is wrong and was" if rejected.count == 1 else f"{rejected.count:,} rows are wrong and were"
        print_coloured(f"{were} left out:", typer.colors.RED)
        for line in rejected.first_lines:
            typer.echo(f"  {line}", err=True)
        if (more := rejected.count - len(rejected.first_lines)) > 0:
            typer.echo(f"  and {more:,} more", err=True)
        typer.echo(f"They are in {rejected.path}: correct or delete them there, and issue that file.", err=True)
        if rejected.was_renamed:
            typer.echo("The file that had that name already is unchanged.", err=True)
