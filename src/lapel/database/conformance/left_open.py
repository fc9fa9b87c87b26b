"""Transactions that their task has left open are rolled back and logged; those open for long are logged."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, MutableMapping, Sequence

import pytest
from structlog.testing import capture_logs

from lapel.database.conformance import samples
from lapel.database.errors import SessionMisuse
from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.issuer import Issuer

__all__ = ["LeftOpenRules"]

Logs = Sequence[MutableMapping[str, object]]


async def _once(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.02)


async def _all_ended(database: Database) -> None:
    await _once(lambda: not database.open_transactions() and not database.pool_status().in_use)


def _named(logs: Logs) -> list[tuple[object, object]]:
    return [(entry["transaction"], entry["operations"]) for entry in logs if "left open" in str(entry["event"])]


class LeftOpenRules:
    @pytest.fixture(autouse=True)
    def looked_for_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Speed up the sweep, which otherwise runs once a second."""
        monkeypatch.setattr("lapel.database.open_transactions._SWEEP_SECONDS", 0.05)

    async def test_one_that_a_task_leaves_open_when_it_ends(self, database: Database) -> None:
        issuer = samples.issuer()

        async def leave() -> DatabaseTransaction:
            tx = await database.transaction().__aenter__()
            await tx.issuers.create(issuer)
            return tx

        with capture_logs() as logs:
            tx = await asyncio.create_task(leave())
            assert [one.id for one in database.open_transactions()] == [tx.id]
            await _all_ended(database)
        assert _named(logs) == [(tx.id, ["issuers.create"])]
        with pytest.raises(SessionMisuse):
            await tx.issuers.default()
        await _is_unharmed(database, issuer)

    @pytest.mark.parametrize("read_only", [False, True])
    async def test_one_whose_task_is_collected_as_garbage(self, database: Database, read_only: bool) -> None:
        begun = asyncio.Event()
        ids: list[str] = []

        async def hang() -> None:
            async with database.transaction(read_only=read_only) as tx:
                ids.append(tx.id)
                await tx.issuers.default()
                begun.set()
                await asyncio.Event().wait()

        task: asyncio.Task[None] | None = asyncio.create_task(hang())
        await begun.wait()
        with capture_logs() as logs:
            del task
            gc.collect()
            await _all_ended(database)
        assert _named(logs) == [(ids[0], ["issuers.default"])]
        await _is_unharmed(database)

    async def test_one_in_a_generator_that_another_task_closes(self, database: Database) -> None:
        issuer = samples.issuer()

        async def generate() -> AsyncGenerator[str, None]:
            async with database.transaction() as tx:
                await tx.issuers.create(issuer)
                yield tx.id

        with capture_logs() as logs:
            generator = generate()
            opened = await anext(generator)
            await asyncio.create_task(_close(generator))
            await _all_ended(database)
        assert _named(logs) == [(opened, ["issuers.create"])]
        await _is_unharmed(database, issuer)

    async def test_one_in_a_generator_that_its_own_task_closes_is_in_order(self, database: Database) -> None:
        async def generate() -> AsyncGenerator[None, None]:
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
                yield

        with capture_logs() as logs:
            generator = generate()
            await anext(generator)
            await generator.aclose()
            assert database.pool_status().in_use == 0
        assert _named(logs) == []
        await _is_unharmed(database)

    async def test_one_that_is_open_for_long_is_shown_and_logged_once(self, database: Database) -> None:
        with capture_logs() as logs:
            async with database.transaction() as tx:
                await tx.issuers.default()
                tx.opened_at -= database.settings.idle_in_transaction_seconds  # as if it had been open for that long
                await _once(lambda: bool(_warned(logs)))
                await asyncio.sleep(0.2)  # at least one more sweep
                (shown,) = database.open_transactions()
        assert (shown.id, shown.start_time) == (tx.id, tx.start_time)
        assert set(shown.operations) == {"issuers.default"}
        assert _warned(logs) == [tx.id]
        assert not database.open_transactions()


def _warned(logs: Logs) -> list[object]:
    return [entry["transaction"] for entry in logs if "open for long" in str(entry["event"])]


async def _close(generator: AsyncGenerator[str, None]) -> None:
    await generator.aclose()


async def _is_unharmed(database: Database, abandoned: Issuer | None = None) -> None:
    """Check that the database still works and that the abandoned changes were rolled back."""
    issuer = samples.issuer()
    async with database.transaction() as tx:
        await tx.issuers.create(issuer)
    assert await database.read().issuers.get(issuer.id) == issuer
    if abandoned is not None:
        assert await database.read().issuers.find(abandoned.id) is None
