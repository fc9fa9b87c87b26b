"""Everything from one database into another: all of it and proved, or nothing."""

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
from lapel.database.migrations.runner import STAMP, head
from lapel.database.session import Table, TransactionSession
from lapel.domain.clock import Clock
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Conflict
from lapel.maintenance.copying.mark import COPY_MARK, Mark, UnfinishedCopy, read_mark, repositories, unmark
from lapel.maintenance.copying.parity import Digest, Proved, compare
from lapel.maintenance.copying.places import refuse_same
from lapel.maintenance.copying.plain_form import PlainSession
from lapel.maintenance.copying.sample import Sample, Verified
from lapel.maintenance.copying.tables import batches, copied_tables, count_rows, ended
from lapel.maintenance.copying.wording import told_of

__all__ = ["Copied", "Progress", "TargetNotEmpty", "copy"]


class TargetNotEmpty(Conflict):
    """The target is not empty."""

    code = "target_not_empty"
    hint = "Copy into a new database. The target is unchanged."


class Progress(Protocol):
    """Is told how far a copy has come."""

    def between(self, source: str, target: str) -> None:
        """Both are there; their addresses, without secrets."""
        ...

    def begin(self, doing: str, rows: int) -> None:
        """Something is done with so many rows from now on: they are copied, or read back."""
        ...

    def advance(self, rows: int) -> None:
        """So many more are done."""
        ...


class Copied(Struct, frozen=True, kw_only=True, rename="camel"):
    """A copy that is complete and proved.

    Attributes:
        as_of: the moment whose state of the source it is: what was committed before is in it.
    """

    as_of: datetime
    tables: tuple[Proved, ...]
    verified: Verified

    @property
    def rows(self) -> int:
        """How many were copied."""
        return sum(table.rows for table in self.tables)


async def copy(source: Database, target: Database, *, contexts: Contexts, clock: Clock, progress: Progress) -> Copied:
    """Copy what `source` holds now into `target`, which is empty; prove that it is the same, and only then commit.

    Both are connected, and closed at the end. The source may be written to meanwhile. Until the end the target holds a
    mark and nothing else, whatever happens to this process.

    Raises:
        WrongSchema: the tables of one are not this version's.
        SameDatabase: both are one.
        TargetNotEmpty: the target holds something.
        UnfinishedCopy: the source is the target of a copy that has not come to its end.
        CopyDiffers: they are not the same; nothing was kept.
        DatabaseBusy: another copy or migration is under way in the target.
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
    with told_of(which):
        await database.connect()
    try:
        yield
    finally:
        await database.disconnect()


async def _prepare(source: Database, target: Database) -> None:
    """Look whether the schemas are this version's; that of a target without one is made so."""
    with told_of("source"):
        is_older = bool((await source.migration_status()).pending)
    if is_older:
        raise WrongSchema(
            "The source's tables are not those of this version.",
            hint="Run `lapel db migrate` with SQLITE_FILE or DATABASE_URL set to the source, then copy.",
        )
    with told_of("target"):
        where = await target.migration_status()
        if where.current is None:
            where = await target.migrate()
    if where.pending:
        raise WrongSchema(
            "The target's tables are not those of this version.",
            hint="Copy into a new database: an empty one is migrated.",
        )


async def _copy(source: Database, target: Database, *, contexts: Contexts, clock: Clock, progress: Progress) -> Copied:
    mark = Mark(token=secrets.token_hex(16), begun=clock(), source=f"{source.module_name} {source.manager.address}")
    async with target.maintenance(alone=True) as session:
        await _refuse_unless_empty(session)
        facts, value = repositories(target, session).server_facts, json.encode(mark)
        if await facts.put_if_absent(COPY_MARK, value) != value:
            await facts.replace(COPY_MARK, value)
    await target.scrub()  # with nothing in its log but what is to come, a copy that fills the disk gives all of it back
    async with source.maintenance() as reading:
        as_of = clock()
        counts = await count_rows(reading)  # the first to read takes the snapshot
        await _refuse_source(source, target, reading, mark)
        async with target.maintenance(alone=True) as writing:
            if target.capabilities.concurrent_writers:
                await _keep_writers_out(writing)
            await _refuse_unless_empty(writing)
            await writing.run("DELETE FROM organisations")  # the one that a migration makes
            await unmark(writing)
            told = await _copied(PlainSession(source, reading), PlainSession(target, writing), counts, progress)
            verified = await _proved(target, writing, told, progress, contexts=contexts, clock=clock)
    return Copied(as_of=as_of, tables=tuple(told.values()), verified=verified)


async def _copied(
    reading: PlainSession, writing: PlainSession, counts: Mapping[str, int], progress: Progress
) -> dict[str, Proved]:
    """Copy every table. What each of them holds in the source."""
    progress.begin("copy", sum(counts.values()))
    told: dict[str, Proved] = {}
    for table in copied_tables():
        digest = Digest()
        try:
            await _load(reading, writing, table, digest, progress)
        except DatabaseError as error:
            detail = f"Copying {table.name} failed: {error.detail}"
            raise type(error)(detail, hint=error.hint) from error.__cause__ or error
        told[table.name] = digest.of(table.name)
    return told


async def _load(reading: PlainSession, writing: PlainSession, table: Table, digest: Digest, progress: Progress) -> None:
    """Copy a table: while some rows are being written, the next ones are read."""
    loading: asyncio.Task[None] | None = None
    try:
        async with aclosing(batches(reading, table, digest)) as rows_of:
            async for rows in rows_of:
                if loading is not None:
                    await loading
                loading = asyncio.create_task(writing.load(table, rows))
                progress.advance(len(rows))
        if loading is not None:
            await loading
    finally:
        if loading is not None:
            await ended(loading)


async def _proved(
    target: Database,
    writing: TransactionSession,
    told: Mapping[str, Proved],
    progress: Progress,
    *,
    contexts: Contexts,
    clock: Clock,
) -> Verified:
    """Read everything back and compare it with what the source holds; verify a sample."""
    progress.begin("prove", sum(table.rows for table in told.values()))
    sample = Sample(told["credentials"].rows)
    for table in copied_tables():
        digest = Digest()
        async with aclosing(batches(PlainSession(target, writing), table, digest)) as rows_of:
            async for rows in rows_of:
                if table.name == "credentials":
                    sample.add(rows)
                progress.advance(len(rows))
        compare(told[table.name], digest.of(table.name))
    return await sample.verify(repositories(target, writing), contexts=contexts, clock=clock)


async def _refuse_source(source: Database, target: Database, reading: TransactionSession, mark: Mark) -> None:
    """Look at the snapshot itself: whether it is this version's, and not the target under another address."""
    stamps = await reading.run(f"SELECT version_num FROM {STAMP}")  # noqa: S608 - our own
    if [str(stamp) for (stamp,) in stamps] != [head()]:
        raise WrongSchema("The source is being migrated.", hint="Copy it once that is done.")
    found = read_mark(await repositories(source, reading).server_facts.find(COPY_MARK))
    if found == mark:
        async with target.maintenance(alone=True) as session:
            await unmark(session)
        raise SameDatabase
    if found is not None:
        raise UnfinishedCopy(f"The source is itself a copy's target. {found}", hint="Finish that one first.")


async def _keep_writers_out(session: TransactionSession) -> None:
    """Nobody else writes what is copied until the end: it would be there beside what is proved. Who does so waits."""
    try:
        await session.run(f"LOCK TABLE {', '.join(table.name for table in copied_tables())} IN EXCLUSIVE MODE")
    except QueryTimeout as error:
        raise DatabaseBusy("Something else is writing to the target.", hint="Stop it, and copy again.") from error


async def _refuse_unless_empty(session: TransactionSession) -> None:
    """What a migration makes, and the mark, may be there."""
    counts = await count_rows(session)
    organisations = await session.run("SELECT id FROM organisations")
    if [str(row[0]) for row in organisations] == [str(DEFAULT_ORGANISATION_ID)]:
        counts["organisations"] = 0
    if {row[0] for row in await session.run("SELECT name FROM server_facts")} == {COPY_MARK}:
        counts["server_facts"] = 0
    if held := [name for name, count in counts.items() if count]:
        raise TargetNotEmpty(f"The target is not empty: it has rows in {', '.join(held)}.")
