"""Deadlines: a transaction whose time is up ends with an error, whatever it is doing."""

# A transaction may raise its error only at the end of its block.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import DeadlineExceeded, UniqueViolation
from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.issuer import Issuer
from lapel.errors import Unavailable

__all__ = ["DeadlineRules"]

SHORT = 0.1
LONG = 60.0


async def _spend(seconds: float) -> None:
    """Sleep, and swallow any cancellation, as a transaction's body should not."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)


async def _is_stored(database: Database, issuer: Issuer) -> bool:
    return await database.read().issuers.find(issuer.id) is not None


class DeadlineRules:
    async def test_one_in_time_is_committed_and_leaves_no_limit_behind(self, database: Database) -> None:
        first, second = samples.issuer(), samples.issuer()
        async with database.transaction(deadline=1) as tx:
            await tx.issuers.create(first)
        async with database.transaction() as tx:
            await tx.issuers.create(second)
            await _spend(1.2)
            assert await tx.issuers.get(first.id) == first
        assert await _is_stored(database, second)

    async def test_a_body_that_waits_too_long_is_ended(self, database: Database) -> None:
        issuer = samples.issuer()
        with pytest.raises(DeadlineExceeded) as caught:
            async with database.transaction(deadline=0.5) as tx:
                await tx.issuers.create(issuer)
                await asyncio.Event().wait()
        assert not await _is_stored(database, issuer)
        assert database.pool_status().in_use == 0
        assert isinstance(caught.value, Unavailable)
        assert not caught.value.retryable
        assert caught.value.context is not None
        assert caught.value.context.transaction_id == tx.id
        await asyncio.sleep(0)  # raises if a cancellation is still pending
        async with database.transaction() as again:
            await again.issuers.create(issuer)

    async def test_after_it_no_statement_starts(self, database: Database) -> None:
        issuer = samples.issuer()
        with pytest.raises(DeadlineExceeded):
            async with database.transaction(deadline=0.5) as tx:
                await tx.issuers.create(issuer)
                await _spend(0.6)
                with pytest.raises(DeadlineExceeded) as caught:
                    await tx.issuers.default()
                assert caught.value.context is not None
                assert caught.value.context.operation == "issuers.default"
                with pytest.raises(DeadlineExceeded):
                    async with tx.savepoint():
                        pass
        assert not await _is_stored(database, issuer)

    async def test_after_it_the_commit_is_not_begun(self, database: Database) -> None:
        issuer = samples.issuer()
        with pytest.raises(DeadlineExceeded):
            async with database.transaction(deadline=SHORT) as tx:
                await tx.issuers.create(issuer)
                await _spend(2 * SHORT)
        assert not await _is_stored(database, issuer)

    async def test_without_any_time_nothing_is_run_and_nothing_is_warned_of(self, database: Database) -> None:
        async def work(tx: DatabaseTransaction) -> None:
            await tx.issuers.create(samples.issuer())

        with pytest.raises(DeadlineExceeded):
            await database.run(work, deadline=0)

    async def test_the_wait_for_a_turn_or_a_lock_counts(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)

        async def late() -> None:
            async with database.transaction(deadline=SHORT) as tx:
                await tx.issuers.update(issuer, expected_version=1)

        async with database.transaction() as tx:
            await tx.issuers.update(issuer, expected_version=1)
            with pytest.raises(DeadlineExceeded):
                await asyncio.create_task(late())
            assert await tx.issuers.get(issuer.id) == issuer
        assert database.pool_status().in_use == 0

    async def test_the_wait_for_a_connection_counts(self, database: Database) -> None:
        begun, leave = asyncio.Semaphore(0), asyncio.Event()

        async def hold() -> None:
            async with database.transaction(read_only=True):
                begun.release()
                await leave.wait()

        holding = [asyncio.create_task(hold()) for _ in range(database.pool_status().maximum)]
        await asyncio.wait(holding, timeout=SHORT)
        with pytest.raises(DeadlineExceeded):
            async with database.transaction(read_only=True, deadline=SHORT):
                pass
        leave.set()
        await asyncio.gather(*holding)

    async def test_at_a_savepoint_it_ends_the_whole(self, database: Database) -> None:
        issuer = samples.issuer()
        with pytest.raises(DeadlineExceeded):
            async with database.transaction(deadline=SHORT) as tx:
                await tx.issuers.create(issuer)
                async with tx.savepoint():
                    await asyncio.Event().wait()
        assert not await _is_stored(database, issuer)

    async def test_another_error_and_a_real_cancellation_stay_what_they_are(self, database: Database) -> None:
        key = samples.api_key()
        with pytest.raises(UniqueViolation):
            async with database.transaction(deadline=LONG) as tx:
                await tx.api_keys.create(key)
                await tx.api_keys.create(key)
        begun = asyncio.Event()

        async def work() -> None:
            async with database.transaction(deadline=LONG):
                begun.set()
                await asyncio.Event().wait()

        working = asyncio.create_task(work())
        await begun.wait()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    async def test_a_stream_that_takes_too_long_is_ended(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create_many([scene.credential(index) for index in range(500)])
        seen = 0
        with pytest.raises(DeadlineExceeded):
            async with database.transaction(read_only=True, deadline=SHORT) as tx:
                async for _ in tx.credentials.stream(scene.issuer.organisation_id):
                    seen += 1
                    if seen == 1:
                        await _spend(2 * SHORT)
        assert seen < 500
        assert database.pool_status().in_use == 0
