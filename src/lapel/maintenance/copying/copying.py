"""Copies all rows from one database into another, in one transaction that is committed only if the copy is verified."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Protocol

from msgspec import Struct, json

from lapel.credentials.jsonld import Contexts
from lapel.database.errors import DatabaseBusy, DatabaseError, QueryTimeout, SameDatabase, WrongSchema
from lapel.database.interface import Database
from lapel.database.migrations.runner import SELECT_STAMP, head
from lapel.database.session import Table, TransactionSession
from lapel.domain.clock import Clock
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Conflict
from lapel.maintenance.copying.addresses import refuse_same
from lapel.maintenance.copying.error_context import errors_about
from lapel.maintenance.copying.mark import COPY_MARK, Mark, UnfinishedCopy, read_mark, repositories, unmark
from lapel.maintenance.copying.parity import Digest, TableDigest, compare
from lapel.maintenance.copying.plain_form import PlainSession
from lapel.maintenance.copying.sample import Sample, SampleResult
from lapel.maintenance.copying.tables import batches, copied_tables, count_rows, ended

__all__ = ["Copied", "Progress", "TargetNotEmpty", "copy"]


class TargetNotEmpty(Conflict):
    """The target is not empty."""

    code = "target_not_empty"
    hint = "Copy into a new database. The target is unchanged."


class Progress(Protocol):
    """Receives the progress of a copy."""

    def between(self, source: str, target: str) -> None:
        """Both databases are connected. Their addresses contain no secrets."""
        ...

    def begin(self, doing: str, rows: int) -> None:
        """A step with so many rows begins: ``copy`` or ``prove``."""
        ...

    def advance(self, rows: int) -> None:
        """So many more rows are done."""
        ...


class Copied(Struct, frozen=True, kw_only=True, rename="camel"):
    """A complete and verified copy.

    Attributes:
        as_of: the copy contains everything that was committed to the source by then.
        verified: the result for a sample of the credentials.
    """

    as_of: datetime
    tables: tuple[TableDigest, ...]
    verified: SampleResult

    @property
    def rows(self) -> int:
        """The number of copied rows."""
        return sum(table.rows for table in self.tables)


async def copy(source: Database, target: Database, *, contexts: Contexts, clock: Clock, progress: Progress) -> Copied:
    """Copy a snapshot of `source` into the empty `target`, verify that both are equal, and only then commit.

    Connects both databases, and disconnects them at the end. The source may be written to meanwhile. Until the commit
    the target contains only a mark, even if this process is killed.

    Raises:
        WrongSchema: the tables of one of them are not this version's.
        SameDatabase: both are the same database.
        TargetNotEmpty: the target contains rows.
        UnfinishedCopy: the source is the target of an unfinished copy.
        CopyDiffers: the copy differs from the source, and was rolled back.
        DatabaseBusy: another copy or migration is running in the target.
    """
    refuse_same(source, target)
    async with _connected(source, "source"), _connected(target, "target"):
        progress.between(
            f"{source.module_name} {source.manager.address}", f"{target.module_name} {target.manager.address}"
        )
        await _prepare(source, target)
        return await _copy(source, target, contexts=contexts, clock=clock, progress=progress)


@asynccontextmanager
async def _connected(database: Database, which: str) -> AsyncIterator[None]:
    with errors_about(which):
        await database.connect()
    try:
        yield
    finally:
        await database.disconnect()


async def _prepare(source: Database, target: Database) -> None:
    """Check that both schemas are this version's. Migrates a target that has none."""
    with errors_about("source"):
        is_older = bool((await source.migration_status()).pending)
    if is_older:
        raise WrongSchema(
            "The source's tables are not those of this version.",
            hint="Run `lapel db migrate` with SQLITE_FILE or DATABASE_URL set to the source, then copy.",
        )
    with errors_about("target"):
        migration = await target.migration_status()
        if migration.current is None:
            migration = await target.migrate()
    if migration.pending:
        raise WrongSchema(
            "The target's tables are not those of this version.",
            hint="Copy into a new database: an empty one is migrated.",
        )


async def _copy(source: Database, target: Database, *, contexts: Contexts, clock: Clock, progress: Progress) -> Copied:
    mark = Mark(token=secrets.token_hex(16), begun=clock(), source=f"{source.module_name} {source.manager.address}")
    async with target.maintenance(writes=True) as session:
        await _refuse_unless_empty(session)
        facts, value = repositories(target, session).server_facts, json.encode(mark)
        if await facts.put_if_absent(COPY_MARK, value) != value:
            await facts.replace(COPY_MARK, value)
    await target.scrub()  # starts with an empty log, so that a copy that fills the disk frees all of its space again
    async with source.maintenance() as reading:
        as_of = clock()
        counts = await count_rows(reading)  # the first read takes the snapshot
        await _refuse_source(source, target, reading, mark)
        async with target.maintenance(writes=True) as writing:
            if target.capabilities.concurrent_writers:
                await _lock_tables(writing)
            await _refuse_unless_empty(writing)
            await writing.run("DELETE FROM organisations")  # the one that the migration inserts
            await unmark(writing)
            digests = await _copy_tables(PlainSession(source, reading), PlainSession(target, writing), counts, progress)
            verified = await _verify_copy(target, writing, digests, progress, contexts=contexts, clock=clock)
    return Copied(as_of=as_of, tables=tuple(digests.values()), verified=verified)


async def _copy_tables(
    reading: PlainSession, writing: PlainSession, counts: Mapping[str, int], progress: Progress
) -> dict[str, TableDigest]:
    """Copy every table. Returns the digests of the source's tables."""
    progress.begin("copy", sum(counts.values()))
    digests: dict[str, TableDigest] = {}
    for table in copied_tables():
        digest = Digest()
        try:
            await _load(reading, writing, table, digest, progress)
        except DatabaseError as error:
            detail = f"Copying {table.name} failed: {error.detail}"
            raise type(error)(detail, hint=error.hint) from error.__cause__ or error
        digests[table.name] = digest.of(table.name)
    return digests


async def _load(reading: PlainSession, writing: PlainSession, table: Table, digest: Digest, progress: Progress) -> None:
    """Copy a table, reading the next batch while one is being written."""
    loading: asyncio.Task[None] | None = None
    try:
        async with aclosing(batches(reading, table, digest)) as row_batches:
            async for rows in row_batches:
                if loading is not None:
                    await loading
                loading = asyncio.create_task(writing.load(table, rows))
                progress.advance(len(rows))
        if loading is not None:
            await loading
    finally:
        if loading is not None:
            await ended(loading)


async def _verify_copy(
    target: Database,
    writing: TransactionSession,
    digests: Mapping[str, TableDigest],
    progress: Progress,
    *,
    contexts: Contexts,
    clock: Clock,
) -> SampleResult:
    """Read all rows back and compare them with the source's digests, and verify a sample of the credentials."""
    progress.begin("prove", sum(table.rows for table in digests.values()))
    sample = Sample(digests["credentials"].rows)
    for table in copied_tables():
        digest = Digest()
        async with aclosing(batches(PlainSession(target, writing), table, digest)) as row_batches:
            async for rows in row_batches:
                if table.name == "credentials":
                    sample.add(rows)
                progress.advance(len(rows))
        compare(digests[table.name], digest.of(table.name))
    return await sample.verify(repositories(target, writing), contexts=contexts, clock=clock)


async def _refuse_source(source: Database, target: Database, reading: TransactionSession, mark: Mark) -> None:
    """Check that the snapshot is of this version, and not of the target under another address."""
    stamps = await reading.run(SELECT_STAMP)
    if [str(stamp) for (stamp,) in stamps] != [head()]:
        raise WrongSchema("The source is being migrated.", hint="Copy it once that is done.")
    source_mark = read_mark(await repositories(source, reading).server_facts.find(COPY_MARK))
    if source_mark == mark:
        async with target.maintenance(writes=True) as session:
            await unmark(session)
        raise SameDatabase
    if source_mark is not None:
        raise UnfinishedCopy(f"The source is itself a copy's target. {source_mark}", hint="Finish that one first.")


async def _lock_tables(session: TransactionSession) -> None:
    """Make other writers wait until the end, because their rows would not be verified."""
    try:
        await session.run(f"LOCK TABLE {', '.join(table.name for table in copied_tables())} IN EXCLUSIVE MODE")
    except QueryTimeout as error:
        raise DatabaseBusy("Something else is writing to the target.", hint="Stop it, and copy again.") from error


async def _refuse_unless_empty(session: TransactionSession) -> None:
    """Raise `TargetNotEmpty` if there are rows other than those of a migration, and the mark."""
    counts = await count_rows(session)
    organisations = await session.run("SELECT id FROM organisations")
    if [str(row[0]) for row in organisations] == [str(DEFAULT_ORGANISATION_ID)]:
        counts["organisations"] = 0
    if {row[0] for row in await session.run("SELECT name FROM server_facts")} == {COPY_MARK}:
        counts["server_facts"] = 0
    if names := [name for name, count in counts.items() if count]:
        raise TargetNotEmpty(f"The target is not empty: it has rows in {', '.join(names)}.")
