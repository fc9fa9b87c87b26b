"""Transactions that are cancelled repeatedly, while they wait or while they end; and savepoints under stress."""

# A transaction may raise its error only at the end of its block.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import SessionMisuse, TransactionFailed, UniqueViolation
from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.issuer import Issuer
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

__all__ = ["InterruptionRules", "NestingRules"]


async def _stored(database: Database) -> list[Issuer]:
    return await database.read().issuers.page(DEFAULT_ORGANISATION_ID, before=None, limit=1_000)


class InterruptionRules:
    async def test_cancelled_twice_it_is_rolled_back_once_and_whole(self, database: Database) -> None:
        """The second cancellation comes after every number of iterations of the event loop that the end may take."""
        for turns in range(12):
            begun = asyncio.Event()

            async def work(begun: asyncio.Event = begun) -> None:
                async with database.transaction() as tx:
                    await tx.issuers.create(samples.issuer())
                    begun.set()
                    await asyncio.Event().wait()

            working = asyncio.create_task(work())
            await begun.wait()
            working.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
            assert await _stored(database) == []
            assert database.pool_status().in_use == 0

    async def test_cancelled_while_it_rolls_back_after_an_error(self, database: Database) -> None:
        for turns in range(12):
            failing = asyncio.Event()

            async def work(failing: asyncio.Event = failing) -> None:
                async with database.transaction() as tx:
                    await tx.issuers.create(samples.issuer())
                    failing.set()
                    raise LookupError

            working = asyncio.create_task(work())
            await failing.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            working.cancel()
            outcome = (await asyncio.gather(working, return_exceptions=True))[0]
            assert isinstance(outcome, LookupError | asyncio.CancelledError)
            assert await _stored(database) == []
            assert database.pool_status().in_use == 0

    async def test_cancelled_while_it_commits_it_is_counted_as_what_it_became(self, database: Database) -> None:
        reported_commits, waits = 0, False
        for turns in range(40):
            issuer, ending, counts = samples.issuer(), asyncio.Event(), database.metrics.transactions
            committed = counts["committed"]

            async def work(issuer: Issuer = issuer, ending: asyncio.Event = ending) -> None:
                async with database.transaction() as tx:
                    await tx.issuers.create(issuer)
                    ending.set()

            working = asyncio.create_task(work())
            await ending.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
            waits |= working.cancel()
            await asyncio.wait([working])
            assert counts["committed"] - committed == (issuer in await _stored(database))
            reported_commits += working.cancelled() and issuer in await _stored(database)
        assert reported_commits or not waits
        assert sum(counts.values()) == counts["committed"] + counts["rolled_back"]

    async def test_cancelled_while_it_waits_for_its_turn(self, database: Database) -> None:
        leave, begun = asyncio.Event(), asyncio.Semaphore(0)

        async def hold() -> None:
            async with database.transaction() as tx:
                await tx.issuers.default()
                begun.release()
                await leave.wait()

        async def write() -> None:
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())

        holding = [asyncio.create_task(hold()) for _ in range(database.pool_status().maximum)]
        await begun.acquire()
        await asyncio.wait(holding, timeout=0.1)
        waiting = [asyncio.create_task(write()) for _ in range(3)]
        await asyncio.wait(waiting, timeout=0.1)
        waiting[1].cancel()
        await asyncio.wait([waiting[1]], timeout=30)
        assert waiting[1].cancelled()
        leave.set()
        await asyncio.gather(*holding, waiting[0], waiting[2])
        assert len(await _stored(database)) == 2
        assert database.pool_status().waiting == 0

    async def test_a_timeout_around_it_undoes_it(self, database: Database) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
                await asyncio.Event().wait()
        assert await _stored(database) == []
        assert database.pool_status().in_use == 0


class NestingRules:
    async def test_a_timeout_inside_a_savepoint_undoes_only_that_savepoint(self, database: Database) -> None:
        before, after = samples.issuer(), samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(before)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit, tx.savepoint():
                    await tx.issuers.create(samples.issuer())
                    limit.reschedule(asyncio.get_running_loop().time())  # once it is inside
                    await asyncio.Event().wait()
            await tx.issuers.create(after)
        assert await _stored(database) == [after, before]

    async def test_a_statement_that_waits_for_a_lock_can_be_given_up_inside_a_savepoint(
        self, database: Database
    ) -> None:
        if not database.capabilities.concurrent_writers:
            return  # with a single writer, nobody waits for a lock inside a transaction
        issuer, other = samples.issuer(), samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)

        async def work() -> None:
            async with database.transaction() as tx:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(None) as limit, tx.savepoint():
                        limit.reschedule(asyncio.get_running_loop().time() + 0.1)  # once it is inside
                        await tx.issuers.update(issuer, expected_version=1)
                await tx.issuers.create(other)

        async with database.transaction() as tx:
            await tx.issuers.update(issuer, expected_version=1)
            await asyncio.create_task(work())
        assert await _stored(database) == [other, issuer]

    async def test_fifty_nested_savepoints_each_undo_their_own_changes(self, database: Database) -> None:
        issuers = [samples.issuer(name=str(depth)) for depth in range(50)]

        async def descend(depth: int) -> None:
            if depth == 50:
                raise LookupError
            async with tx.savepoint():
                await tx.issuers.create(issuers[depth])
                if depth != 30:
                    await descend(depth + 1)
                    return
                with pytest.raises(LookupError):
                    await descend(depth + 1)

        async with database.transaction() as tx:
            await descend(0)
        assert await _stored(database) == issuers[30::-1]

    async def test_an_inner_savepoint_is_undone_with_the_outer_one(self, database: Database) -> None:
        async with database.transaction() as tx:
            with pytest.raises(LookupError):
                async with tx.savepoint():
                    async with tx.savepoint():
                        await tx.issuers.create(samples.issuer())
                    raise LookupError
        assert await _stored(database) == []

    async def test_a_savepoint_works_after_another_was_undone(self, database: Database) -> None:
        key = samples.api_key()
        async with database.transaction() as tx:
            for _ in range(3):
                with pytest.raises(UniqueViolation):
                    async with tx.savepoint():
                        await tx.api_keys.create(key)
                        await tx.api_keys.create(key)
            async with tx.savepoint():
                await tx.api_keys.create(key)
        assert await database.read().api_keys.find_by_digest(key.digest) == key

    async def test_an_error_is_survived_at_the_level_where_it_is_caught(self, database: Database) -> None:
        key, outer = samples.api_key(), samples.issuer()
        async with database.transaction() as tx, tx.savepoint():
            await tx.issuers.create(outer)
            with pytest.raises(TransactionFailed):
                async with tx.savepoint():
                    with pytest.raises(UniqueViolation):
                        async with tx.savepoint():
                            await tx.api_keys.create(key)
                            await tx.api_keys.create(key)
                    await tx.api_keys.create(key)  # the inner savepoint is rolled back, this level goes on
                    with pytest.raises(UniqueViolation):
                        await tx.api_keys.create(key)  # caught without a savepoint: this level has failed
        assert await _stored(database) == [outer]
        assert not await database.read().api_keys.any_exists()

    async def test_they_end_in_the_reverse_of_their_order(self, database: Database) -> None:
        first, issuer = samples.issuer(), samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(first)
            outer, inner = tx.savepoint(), tx.savepoint()
            await outer.__aenter__()
            await inner.__aenter__()
            await tx.issuers.create(samples.issuer())
            with pytest.raises(SessionMisuse):
                await outer.__aexit__(None, None, None)
            with pytest.raises(SessionMisuse):
                await inner.__aexit__(None, None, None)
            async with tx.savepoint():
                await tx.issuers.create(issuer)
        assert await _stored(database) == [issuer, first]

    async def test_a_cancellation_that_comes_while_one_is_set_undoes_it_alone(self, database: Database) -> None:
        async with database.transaction() as tx:
            await _cancelled_inside(tx, before_it=True)
            await tx.issuers.create(after := samples.issuer())
        assert await _stored(database) == [after]

    async def test_a_cancellation_that_comes_while_one_is_undone_leaves_the_transaction_whole(
        self, database: Database
    ) -> None:
        async with database.transaction() as tx:
            await _cancelled_inside(tx, error=LookupError())
            await tx.issuers.create(after := samples.issuer())
        assert await _stored(database) == [after]

    async def test_a_cancellation_that_comes_while_one_ends_leaves_the_transaction_whole(
        self, database: Database
    ) -> None:
        async with database.transaction() as tx:
            await _cancelled_inside(tx)
            await tx.issuers.create(after := samples.issuer())
        assert after in await _stored(database)
        assert len(await _stored(database)) == 2

    async def test_another_task_cannot_end_one(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            savepoint = tx.savepoint()
            await savepoint.__aenter__()
            await tx.issuers.create(issuer)

            async def end() -> None:
                await savepoint.__aexit__(None, None, None)

            with pytest.raises(SessionMisuse):
                await asyncio.create_task(end())
            assert await tx.issuers.get(issuer.id) == issuer
        assert await _stored(database) == [issuer]


async def _cancelled_inside(
    tx: DatabaseTransaction, *, before_it: bool = False, error: Exception | None = None
) -> None:
    """Run a savepoint whose task is cancelled during that statement: when it is set, or when its block ends."""
    task = asyncio.current_task()
    assert task is not None
    with suppress(asyncio.CancelledError, LookupError):
        if before_it:
            task.cancel()
        async with tx.savepoint():
            await tx.issuers.create(samples.issuer())
            if before_it:
                await asyncio.sleep(0)
            task.cancel()
            if error is not None:
                raise error
    with suppress(asyncio.CancelledError):  # raised here if the statement did not have to wait
        await asyncio.sleep(0)
    task.uncancel()
