"""Isolation levels: every anomaly that has a name is tried at every level."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import Deadlock, SerializationFailure
from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.ports import Isolation

__all__ = ["PREVENTED_FROM", "AnomalyRules"]

LEVELS = tuple(Isolation)


class Undone(Exception):
    """Rolls a transaction back."""


class Race:
    """Interleaved transactions of one isolation level.

    Attributes:
        lost: whether one of them was rolled back because of another.
    """

    def __init__(self, database: Database, isolation: Isolation, *, only_reads: bool = False) -> None:
        self.database = database
        self.isolation = isolation
        self.only_reads = only_reads
        self.lost = False
        self._others: list[asyncio.Task[None]] = []

    def transaction(self, *, read_only: bool = False) -> DatabaseTransaction:
        return self.database.transaction(isolation=self.isolation, read_only=read_only)

    async def start(self, **facts: int) -> None:
        async with self.database.transaction() as tx:
            for name, value in facts.items():
                await tx.server_facts.put_if_absent(name, b"")
                await write(tx, name, value)

    async def meanwhile(self, work: Coroutine[object, object, None]) -> None:
        """Run `work` in another task, until it ends or, where writers take turns, until it waits for its turn."""
        other = asyncio.create_task(self._survived(work))
        self._others.append(other)
        if self.database.capabilities.concurrent_writers:
            await asyncio.wait([other], timeout=30)
            return
        async with asyncio.timeout(30):
            while True:
                if other.done() or self.database.pool_status().waiting:
                    return
                await asyncio.sleep(0.001)

    async def run(self, work: Coroutine[object, object, None]) -> None:
        """Run `work`, and wait for the work that was started in between."""
        with suppress(Undone):
            await self._survived(work)
        await asyncio.gather(*self._others)

    async def after(self, name: str) -> int:
        return int(await self.database.read().server_facts.find(name) or b"")

    async def _survived(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except (SerializationFailure, Deadlock):
            self.lost = True


async def read(tx: DatabaseTransaction, name: str) -> int:
    return int(await tx.server_facts.find(name) or b"")


async def write(tx: DatabaseTransaction, name: str, value: int) -> None:
    await tx.server_facts.replace(name, str(value).encode())


async def dirty_read(race: Race) -> bool:
    """A transaction sees the uncommitted changes of another."""
    await race.start(x=0)
    seen: list[int] = []

    async def look() -> None:
        async with race.transaction(read_only=race.only_reads) as tx:
            seen.append(await read(tx, "x"))

    async def change() -> None:
        async with race.transaction() as tx:
            await write(tx, "x", 1)
            await race.meanwhile(look())
            raise Undone

    await race.run(change())
    return seen == [1]


async def looking_twice(race: Race, looks: Callable[[DatabaseTransaction, int], Awaitable[int]]) -> tuple[int, int]:
    """Return what a transaction sees before and after another one has changed x and y and added an issuer."""
    await race.start(x=50, y=50)
    seen: list[int] = []

    async def change() -> None:
        async with race.transaction() as tx:
            await write(tx, "x", 60)
            await write(tx, "y", 40)
            await tx.issuers.create(samples.issuer())

    async def look() -> None:
        async with race.transaction(read_only=race.only_reads) as tx:
            seen.append(await looks(tx, 1))
            await race.meanwhile(change())
            seen.append(await looks(tx, 2))

    await race.run(look())
    first, second = seen
    return first, second


async def non_repeatable_read(race: Race) -> bool:
    """Two reads of the same row differ."""
    first, second = await looking_twice(race, lambda tx, time: read(tx, "x"))
    return first != second


async def read_skew(race: Race) -> bool:
    """The sum of two rows is not 100, though every transaction keeps it at 100."""
    first, second = await looking_twice(race, lambda tx, time: read(tx, "x" if time == 1 else "y"))
    return first + second != 100


async def phantom(race: Race) -> bool:
    """The same query, run twice, finds another row."""

    async def count(tx: DatabaseTransaction, time: int) -> int:
        return len(await tx.issuers.page(DEFAULT_ORGANISATION_ID, before=None, limit=100))

    first, second = await looking_twice(race, count)
    return first != second


async def lost_update(race: Race) -> bool:
    """Two transactions add one each, and only one is added."""
    await race.start(x=0)

    async def add(between: Coroutine[object, object, None] | None = None) -> None:
        async with race.transaction() as tx:
            x = await read(tx, "x")
            if between is not None:
                await race.meanwhile(between)
            await write(tx, "x", x + 1)

    await race.run(add(add()))
    return not race.lost and await race.after("x") != 2


async def write_skew(race: Race) -> bool:
    """Of two people on duty, each may leave only if the other one stays, but both leave."""
    await race.start(x=1, y=1)

    async def leave(who: str, between: Coroutine[object, object, None] | None = None) -> None:
        async with race.transaction() as tx:
            on_duty = await read(tx, "x") + await read(tx, "y")
            if between is not None:
                await race.meanwhile(between)
            if on_duty == 2:
                await write(tx, who, 0)

    await race.run(leave("x", leave("y")))
    return await race.after("x") + await race.after("y") == 0


async def read_only_anomaly(race: Race) -> bool:
    """A report shows a deposit but not a withdrawal, which is then charged as if there had been no deposit.

    Fekete, O'Neil, O'Neil: A Read-Only Transaction Anomaly Under Snapshot Isolation (2004).
    """
    await race.start(x=0, y=0)
    report: list[int] = []

    async def deposit() -> None:
        async with race.transaction() as tx:
            await write(tx, "y", await read(tx, "y") + 20)

    async def look() -> None:
        async with race.transaction(read_only=True) as tx:
            report.extend([await read(tx, "x"), await read(tx, "y")])

    async def withdraw() -> None:
        async with race.transaction() as tx:
            together = await read(tx, "x") + await read(tx, "y")
            await race.meanwhile(deposit())
            await race.meanwhile(look())
            await write(tx, "x", -10 if together >= 10 else -11)

    await race.run(withdraw())
    return report == [0, 20] and await race.after("x") == -11


PREVENTED_FROM: Mapping[Callable[[Race], Awaitable[bool]], Isolation] = {
    dirty_read: Isolation.READ_COMMITTED,
    non_repeatable_read: Isolation.REPEATABLE_READ,
    read_skew: Isolation.REPEATABLE_READ,
    phantom: Isolation.REPEATABLE_READ,
    lost_update: Isolation.REPEATABLE_READ,
    write_skew: Isolation.SERIALIZABLE,
    read_only_anomaly: Isolation.SERIALIZABLE,
}
"""The weakest level that prevents each anomaly. Every weaker one allows it."""


def allowed(database: Database, asked: Isolation, prevented_from: Isolation) -> bool:
    """Return whether the level that the database provides for `asked` allows the anomaly."""
    given = min(map(LEVELS.index, database.capabilities.isolation_levels & set(LEVELS[LEVELS.index(asked) :])))
    return given < LEVELS.index(prevented_from)


class AnomalyRules:
    @pytest.mark.parametrize("anomaly", PREVENTED_FROM, ids=lambda anomaly: anomaly.__name__)
    async def test_each_level_prevents_what_it_says_and_allows_the_rest(
        self, database: Database, anomaly: Callable[[Race], Awaitable[bool]]
    ) -> None:
        happened = {asked: await anomaly(Race(database, asked)) for asked in LEVELS}
        assert happened == {asked: allowed(database, asked, PREVENTED_FROM[anomaly]) for asked in LEVELS}

    @pytest.mark.parametrize(
        "anomaly", [dirty_read, non_repeatable_read, read_skew, phantom], ids=lambda anomaly: anomaly.__name__
    )
    async def test_one_that_only_reads_sees_no_less_order(
        self, database: Database, anomaly: Callable[[Race], Awaitable[bool]]
    ) -> None:
        for asked in LEVELS:
            happened = await anomaly(Race(database, asked, only_reads=True))
            assert not happened or allowed(database, asked, PREVENTED_FROM[anomaly])
