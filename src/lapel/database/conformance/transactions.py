"""Transactions: commit, rollback, savepoints, and misuse."""

# A transaction may raise its error only at the end of its block.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import ReadOnlyDatabase, SessionMisuse, TransactionFailed, UniqueViolation
from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.issuer import Issuer
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

__all__ = ["CancellationRules", "MisuseRules", "SavepointRules", "TransactionRules"]


class Surprise(Exception):
    """An exception that no database raises."""


async def _stored(database: Database) -> list[Issuer]:
    return await database.read().issuers.page(DEFAULT_ORGANISATION_ID, before=None, limit=1_000)


async def _fail(tx: DatabaseTransaction) -> None:
    """Run a statement that fails."""
    with pytest.raises(UniqueViolation):
        key = samples.api_key("same")
        await tx.api_keys.create(key)
        await tx.api_keys.create(key)


class TransactionRules:
    async def test_changes_are_visible_after_the_commit(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
        assert await _stored(database) == [issuer]

    async def test_an_error_rolls_it_back(self, database: Database) -> None:
        with pytest.raises(Surprise):
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
                raise Surprise
        assert await _stored(database) == []

    async def test_reading_inside_sees_what_was_written_inside(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            assert await tx.issuers.get(issuer.id) == issuer
            assert [found async for found in tx.credentials.stream(DEFAULT_ORGANISATION_ID)] == []

    async def test_after_a_failed_statement_only_a_rollback_is_left(self, database: Database) -> None:
        with pytest.raises(TransactionFailed):
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
                await _fail(tx)
                with pytest.raises(TransactionFailed):
                    await tx.issuers.default()
        assert await _stored(database) == []

    async def test_it_knows_its_id_its_start_and_its_operations(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx, tx.savepoint():
            await tx.issuers.create(issuer)
            await tx.issuers.find(issuer.id)
        async with database.transaction() as other:
            assert not other.operations
        assert list(tx.operations) == ["issuers.create", "issuers.find"]
        assert tx.id != other.id
        assert abs((other.start_time - database.settings.clock()).total_seconds()) < 60

    async def test_an_error_names_the_operation(self, database: Database) -> None:
        key = samples.api_key()
        with pytest.raises(UniqueViolation) as caught:
            async with database.transaction() as tx:
                await tx.api_keys.create(key)
                await tx.api_keys.create(key)
        context = caught.value.context
        assert context is not None
        assert (context.operation, context.entity, context.entity_id) == ("api_keys.create", "API key", str(key.id))
        assert (context.transaction_id, context.attempt) == (tx.id, 1)
        assert caught.value.__cause__ is not None

    async def test_what_is_to_be_called_after_the_commit_is_not_called_without_it(self, database: Database) -> None:
        called: list[str] = []
        async with database.transaction() as tx:
            await tx.issuers.create(samples.issuer())
            tx.after_commit(lambda: called.append("committed"))
            assert not called
        with pytest.raises(TransactionFailed):
            async with database.transaction() as tx:
                tx.after_commit(lambda: called.append("rolled back"))
                await _fail(tx)
        assert called == ["committed"]

    async def test_each_operation_is_counted(self, database: Database) -> None:
        before = database.metrics.count("issuers.default")
        async with database.transaction() as tx:
            await tx.issuers.default()
        await database.read().issuers.default()
        assert database.metrics.count("issuers.default") == before + 2

    async def test_a_read_only_one_reads_and_does_not_write(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
        async with database.transaction(read_only=True) as tx:
            assert await tx.issuers.get(issuer.id) == issuer
            async with tx.savepoint():
                assert await tx.issuers.default() == issuer
        key = samples.api_key()
        with pytest.raises(ReadOnlyDatabase):
            async with database.transaction(read_only=True) as tx:
                await tx.api_keys.create(key)
        with pytest.raises(ReadOnlyDatabase):
            async with database.transaction(read_only=True) as tx:
                await tx.api_keys.revoke(key.id, at=samples.MOMENT)
        with pytest.raises(ReadOnlyDatabase):
            async with database.transaction(read_only=True) as tx:
                await tx.credentials.create_many([samples.credential(issuer.id)])
        with pytest.raises(ReadOnlyDatabase):
            async with database.transaction(read_only=True) as tx:
                await tx.credentials.find_many([samples.new_id()], lock=True)
        async with database.transaction() as tx:
            await tx.api_keys.create(key)  # the next transaction can write again
        assert await database.read().api_keys.any_exists()

    async def test_two_hundred_at_once(self, database: Database) -> None:
        async def work(number: int) -> Issuer | None:
            issuer = samples.issuer(name=str(number))
            with suppress(Surprise):
                async with database.transaction() as tx:
                    await tx.issuers.create(issuer)
                    await asyncio.sleep(0)
                    if number % 5 == 0:
                        raise Surprise
                    return issuer
            return None

        committed = [issuer for issuer in await asyncio.gather(*map(work, range(200))) if issuer]
        assert len(committed) == 160
        assert {issuer.id for issuer in await _stored(database)} == {issuer.id for issuer in committed}


class SavepointRules:
    async def test_an_error_inside_undoes_only_that_savepoint(self, database: Database) -> None:
        before, inside, after = samples.issuer(), samples.issuer(), samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(before)
            with pytest.raises(Surprise):
                async with tx.savepoint():
                    await tx.issuers.create(inside)
                    raise Surprise
            await tx.issuers.create(after)
        assert await _stored(database) == [after, before]

    async def test_a_failed_statement_inside_can_be_survived(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            with pytest.raises(TransactionFailed):
                async with tx.savepoint():
                    await _fail(tx)
            await tx.issuers.create(issuer)
        assert await _stored(database) == [issuer]
        assert not await database.read().api_keys.any_exists()

    async def test_they_nest(self, database: Database) -> None:
        outer, inner, last = samples.issuer(), samples.issuer(), samples.issuer()
        async with database.transaction() as tx, tx.savepoint():
            await tx.issuers.create(outer)
            with pytest.raises(Surprise):
                async with tx.savepoint(), tx.savepoint():
                    await tx.issuers.create(inner)
                    raise Surprise
            async with tx.savepoint():
                await tx.issuers.create(last)
        assert await _stored(database) == [last, outer]

    async def test_one_set_after_a_failure_does_not_help(self, database: Database) -> None:
        with pytest.raises(TransactionFailed):
            async with database.transaction() as tx:
                await _fail(tx)
                async with tx.savepoint():
                    pass

    async def test_a_released_savepoint_is_undone_with_the_transaction(self, database: Database) -> None:
        with pytest.raises(Surprise):
            async with database.transaction() as tx:
                async with tx.savepoint():
                    await tx.issuers.create(samples.issuer())
                raise Surprise
        assert await _stored(database) == []


class MisuseRules:
    async def test_after_its_end_it_is_refused(self, database: Database) -> None:
        async with database.transaction() as tx:
            issuers = tx.issuers
        for use in (issuers.default(), tx.savepoint().__aenter__(), tx.__aenter__()):
            with pytest.raises(SessionMisuse):
                await use

    async def test_before_its_beginning_it_is_refused(self, database: Database) -> None:
        with pytest.raises(SessionMisuse):
            await database.transaction().issuers.default()

    async def test_in_another_task_it_is_refused_and_unharmed(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            with pytest.raises(SessionMisuse):
                await asyncio.create_task(tx.issuers.default())
            with pytest.raises(SessionMisuse):
                await asyncio.create_task(tx.savepoint().__aenter__())
            await tx.issuers.create(issuer)
        assert await _stored(database) == [issuer]

    async def test_one_inside_another_is_refused_and_the_outer_unharmed(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            for read_only in (False, True):
                with pytest.raises(SessionMisuse, match=tx.id):
                    await database.transaction(read_only=read_only).__aenter__()
            await tx.issuers.create(issuer)
        async with database.transaction() as tx:
            assert await tx.issuers.get(issuer.id) == issuer

    async def test_reading_outside_from_inside_is_refused_not_waited_for(self, database: Database) -> None:
        outside = database.read()
        async with database.transaction() as tx:
            for read in (outside.issuers.default(), outside.issuers.find(samples.new_id())):
                with pytest.raises(SessionMisuse, match=tx.id):
                    await read
            assert await tx.issuers.default() is None
        assert await outside.issuers.default() is None

    async def test_looking_after_the_database_from_inside_is_refused_not_waited_for(self, database: Database) -> None:
        async with database.transaction() as tx:
            for look in (database.migrate, database.migration_status):
                with pytest.raises(SessionMisuse, match=tx.id):
                    await look()
            with pytest.raises(SessionMisuse, match=tx.id):
                await database.maintenance().__aenter__()
            assert await tx.issuers.default() is None

    async def test_a_write_outside_is_refused(self, database: Database) -> None:
        key = samples.api_key()
        async with database.transaction() as tx:
            await tx.api_keys.create(key)
        outside = database.read()
        for write in (
            outside.issuers.create(samples.issuer()),
            outside.api_keys.revoke(key.id, at=samples.MOMENT),
            outside.credentials.create_many([samples.credential(samples.new_id())]),
        ):
            with pytest.raises(SessionMisuse):
                await write
        assert await outside.api_keys.find_by_digest(key.digest) == key


class CancellationRules:
    async def test_wherever_it_strikes_all_or_nothing_is_there(self, database: Database) -> None:
        """It is cancelled after every number of iterations of the event loop that the work may take."""
        finished_in_a_row, turns = 0, 0
        while finished_in_a_row < 5 and turns < 300:
            first, second = samples.issuer(), samples.issuer()
            work = asyncio.create_task(_both(database, first, second))
            for _ in range(turns):
                await asyncio.sleep(0)
            is_done = work.done()
            work.cancel()
            outcome = (await asyncio.gather(work, return_exceptions=True))[0]
            async with database.transaction() as tx:
                found = [await tx.issuers.find(issuer.id) for issuer in (first, second)]
            assert found in ([first, second], [None, None])
            if outcome is None:
                assert found == [first, second]
            finished_in_a_row = finished_in_a_row + 1 if is_done else 0
            turns += 1
        assert database.pool_status().in_use == 0

    async def test_while_it_waits_for_a_lock_it_is_let_go(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
        async with database.transaction() as tx:
            await tx.issuers.update(issuer, expected_version=1)
            waiting = asyncio.create_task(_touch(database, issuer))
            await asyncio.wait([waiting], timeout=0.1)
            assert not waiting.done()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await tx.issuers.get(issuer.id) == issuer
        await _touch(database, issuer)
        assert database.pool_status().in_use == 0

    async def test_a_stream_gives_its_connection_back(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create_many([scene.credential(index) for index in range(600)])

        async def count() -> int:
            return len([found async for found in database.read().credentials.stream(DEFAULT_ORGANISATION_ID)])

        for turns in range(40):
            streaming = asyncio.create_task(count())
            for _ in range(turns):
                await asyncio.sleep(0)
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)
        assert await count() == 600
        assert database.pool_status().in_use == 0

    async def test_inside_a_savepoint_it_undoes_the_whole(self, database: Database) -> None:
        reached = asyncio.Event()

        async def work() -> None:
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
                async with tx.savepoint():
                    await tx.issuers.create(samples.issuer())
                    reached.set()
                    await asyncio.Event().wait()

        working = asyncio.create_task(work())
        await reached.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert await _stored(database) == []


async def _both(database: Database, first: Issuer, second: Issuer) -> None:
    async with database.transaction() as tx:
        await tx.issuers.create(first)
        await asyncio.sleep(0)
        await tx.issuers.create(second)


async def _touch(database: Database, issuer: Issuer) -> None:
    async with database.transaction() as tx:
        await tx.issuers.update(issuer, expected_version=1)
