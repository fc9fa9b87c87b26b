"""Distributed transactions: both sides or neither, and what recovery makes of what is left."""

# What a transaction refuses may show only where its block ends.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import FunctionType

import asyncpg
import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.conformance.opening import opened
from lapel.database.errors import (
    ConnectionLost,
    OutcomeUnknown,
    SameDatabase,
    SerializationFailure,
    TwoPhaseNotSupported,
    TwoPhaseOff,
    UniqueViolation,
)
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql import catalogue
from lapel.database.two_phase.distributed import distributed
from lapel.database.two_phase.participant import BranchName
from lapel.domain.ports import Isolation
from lapel.maintenance.checking import check
from lapel.maintenance.recovering import Settlement, prepared_in, recover
from tests.support.audited import every_change_is_recorded
from tests.support.postgres_server import PostgresServer
from tests.support.two_databases import (
    LOG,
    STEPS,
    Halt,
    ask,
    award,
    identity_of,
    opened_pair,
    prepare,
    standing,
    stored,
)

__all__ = ["every_change_is_recorded"]

TAKE_THE_LOCK_AWAY = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_locks
 WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
SETTLED = {Settlement.COMMITTED, Settlement.ROLLED_BACK}


@pytest.fixture
async def pair(two_dsns: list[str]) -> AsyncIterator[list[Database]]:
    """Two databases."""
    async with opened_pair(*two_dsns, lock_seconds=0.5) as databases:
        yield databases


async def test_both_are_committed_and_nothing_is_left(pair: list[Database]) -> None:
    issuers = samples.issuer(), samples.issuer()
    called = []

    async with distributed(*pair) as (here, there):
        for tx, issuer in zip((here, there), issuers, strict=True):
            await tx.issuers.create(issuer)
            tx.after_commit(lambda: called.append(len(called)))
        assert await stored(*pair) == [0, 0]
        assert called == []

    assert called == [0, 1]
    for database, issuer in zip(pair, issuers, strict=True):
        assert await database.read().issuers.get(issuer.id) == issuer
        assert database.metrics.transactions["committed"] == 1
        assert database.pool_status().in_use == 0
    assert await standing(*pair) == 0
    assert await ask(pair[0].settings.url, LOG) == []
    assert await recover(pair) == []


async def test_an_error_in_the_body_leaves_neither(pair: list[Database]) -> None:
    called: list[int] = []
    with pytest.raises(KeyError):
        async with distributed(*pair) as (here, there):
            here.after_commit(lambda: called.append(1))
            await here.issuers.create(samples.issuer())
            await there.issuers.create(samples.issuer())
            raise KeyError

    assert (await stored(*pair), await standing(*pair), called) == ([0, 0], 0, [])


@pytest.mark.parametrize("failing", [0, 1])
async def test_what_one_database_refuses_neither_has(pair: list[Database], failing: int) -> None:
    there_already = samples.issuer()
    async with pair[failing].transaction() as tx:
        await tx.issuers.create(there_already)
    issuers = [samples.issuer(), samples.issuer()]
    issuers[failing] = there_already

    with pytest.raises(UniqueViolation):
        await award(pair, issuers)

    assert sum(await stored(*pair)) == 1
    assert await standing(*pair) == 0


@pytest.mark.parametrize("silent", [0, 1])
async def test_neither_side_may_change_anything_without_recording_it(pair: list[Database], silent: int) -> None:
    async def serve(databases: list[Database], silent: int) -> None:
        async with distributed(*databases) as transactions:
            for number, tx in enumerate(transactions):
                await tx.issuers.create(samples.issuer())
                if number != silent:
                    await tx.audit_log.record(samples.audit_entry())

    as_a_service = FunctionType(serve.__code__, {**globals(), "__name__": "lapel.services.example"})

    with pytest.raises(AssertionError, match="records nothing"):
        await as_a_service(pair, silent)

    assert (await stored(*pair), await standing(*pair)) == ([0, 0], 0)
    await as_a_service(pair, -1)
    assert await stored(*pair) == [1, 1]


@pytest.mark.parametrize("step", STEPS)
async def test_cancelled_at_any_step_both_sides_agree(
    pair: list[Database], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    halt = Halt(monkeypatch, step)
    task = asyncio.create_task(award(pair))
    await halt.reached.wait()

    task.cancel()
    halt.go_on.set()

    with pytest.raises(asyncio.CancelledError) as told:
        await task
    assert told.value.__cause__ is None
    is_decided = list(STEPS).index(step) >= list(STEPS).index("decided")
    assert await stored(*pair) == [is_decided, is_decided]
    assert await standing(*pair) == 0
    assert [database.pool_status().in_use for database in pair] == [0, 0]


async def test_who_lost_a_race_is_told_when_it_is_prepared(pair: list[Database]) -> None:
    async def look_and_add(looked: asyncio.Event, go_on: asyncio.Event) -> None:
        async with distributed(*pair, isolation=Isolation.SERIALIZABLE) as (here, there):
            await there.issuers.create(samples.issuer())
            assert await here.issuers.default() is None
            await here.issuers.create(samples.issuer())
            looked.set()
            await go_on.wait()

    looked, go_on = [asyncio.Event(), asyncio.Event()], [asyncio.Event(), asyncio.Event()]
    tasks = [asyncio.create_task(look_and_add(*events)) for events in zip(looked, go_on, strict=True)]
    for event in looked:
        await event.wait()
    go_on[0].set()
    await tasks[0]
    go_on[1].set()

    with pytest.raises(SerializationFailure) as told:
        await tasks[1]
    assert told.value.retryable
    assert (await stored(*pair), await standing(*pair)) == ([1, 1], 0)


async def test_a_deadline_of_the_body_leaves_neither(pair: list[Database]) -> None:
    with pytest.raises(Exception, match="time for this was over"):
        async with distributed(*pair, deadline=0.05) as (here, _):
            await here.issuers.create(samples.issuer())
            await asyncio.Event().wait()

    assert (await stored(*pair), await standing(*pair)) == ([0, 0], 0)


async def test_several_at_once_in_both_directions(pair: list[Database]) -> None:
    await asyncio.gather(*(award(pair if number % 2 else reversed(pair)) for number in range(8)))

    assert (await stored(*pair), await standing(*pair)) == ([8, 8], 0)


async def test_one_database_twice_is_refused(pair: list[Database]) -> None:
    async with opened_pair(pair[0].settings.url) as (again,):
        for second in (pair[0], again):
            with pytest.raises(SameDatabase) as told:
                await award([pair[0], second])
            assert "database.transaction()" in str(told.value.hint)
    assert await stored(pair[0]) == [0]


@pytest.mark.parametrize("first", [True, False])
async def test_a_database_that_prepares_nothing_says_so(pair: list[Database], first: bool, tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as plain:
        assert not plain.capabilities.two_phase
        with pytest.raises(TwoPhaseNotSupported) as told:
            await award((plain, pair[0]) if first else (pair[0], plain))
        assert told.value.code == "two_phase_not_supported"
        with pytest.raises(TwoPhaseNotSupported):
            await recover([pair[0], plain])
        assert await prepared_in(plain) == {}
    assert await stored(pair[0]) == [0]


async def test_a_pooler_that_may_hand_the_lock_on_is_refused(
    pair: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = asyncpg.Connection.get_server_pid
    monkeypatch.setattr(asyncpg.Connection, "get_server_pid", lambda self: own(self) + 1)  # as PgBouncer tells it
    with pytest.raises(TwoPhaseNotSupported, match="stands between"):
        await award(pair)
    here = await identity_of(pair[0])
    await prepare(pair[0].settings.url, str(BranchName(here, "0" * 32, here)))

    (left,) = await recover(pair)

    assert "stands between" in left.reason
    assert await standing(*pair) == 1


@pytest.fixture(scope="module")
def preparing_nothing() -> Iterator[str]:
    """The address of a migrated database on a server with PostgreSQL's default, which is to prepare nothing."""
    with PostgresServer.temporary(settings={"max_prepared_transactions": "0"}, in_memory=True) as server:
        dsn = server.create_database()

        async def migrate() -> None:
            async with opened("postgresql", DatabaseSettings(url=dsn)):
                pass

        asyncio.run(migrate())
        yield dsn


@pytest.mark.parametrize("first", [True, False])
async def test_a_server_that_is_set_to_prepare_nothing_is_named_before_anything_is_done(
    pair: list[Database], preparing_nothing: str, first: bool
) -> None:
    async with opened_pair(preparing_nothing) as (off,):
        with pytest.raises(TwoPhaseOff) as told:
            async with distributed(*((off, pair[0]) if first else (pair[0], off))):
                pytest.fail("the body ran")
        assert told.value.code == "two_phase_off"
        assert "max_prepared_transactions" in (told.value.hint or "")
        assert off.manager.address in (told.value.hint or "")
        assert await recover([off, pair[0]]) == [], "nothing can stand there"


async def test_nobody_elses_prepared_transaction_is_touched(pair: list[Database]) -> None:
    dsn = pair[0].settings.url
    here, there = [await identity_of(database) for database in pair]
    act = "0" * 32
    names = [
        "another program's",
        f"lapel-2pc:{here}:{act}",
        f"lapel-2pc:{here}:{act[1:]}:{here}",
        f"lapel-2pc:{here}:{act}:{here}\n",
        f" lapel-2pc:{here}:{act}:{here}",
        f"LAPEL-2pc:{here}:{act}:{here}",
        f"lapel-2pc:{here}:{act}:{there}",
        f"lapel-2pc:{here}0:{act}:{here}",
    ]
    own = f"lapel-2pc:{there}:{act}:{here}"
    await prepare(dsn, *names, own)

    alone = await recover(pair[:1])
    together = await recover(pair)

    left = {one.name for one in alone if one.settlement is Settlement.LEFT}
    assert left == {own, f"lapel-2pc:{here}0:{act}:{here}"}, "those of coordinators that are not there"
    assert [one.name for one in together if one.settlement in SETTLED] == [own]
    assert set(await prepared_in(pair[0])) == set(names)


async def test_a_log_that_came_with_a_copy_of_another_database_decides_nothing(pair: list[Database]) -> None:
    here, there = [await identity_of(database) for database in pair]
    name = str(BranchName(there, "0" * 32, here))
    copied = pair[0].settings.url
    await ask(copied, f"INSERT INTO two_phase_decisions VALUES ('{name}', now()) RETURNING name")
    await prepare(copied, name)

    (alone,), (together,) = await recover(pair[:1]), await recover(pair)

    assert (alone.settlement, alone.name) == (Settlement.LEFT, name)
    assert (together.settlement, together.name) == (Settlement.ROLLED_BACK, name), "its own coordinator never decided"
    assert await recover(pair) == []


def test_names_are_short_enough_and_read_back() -> None:
    longest = BranchName("f" * 64, "0" * 32, "e" * 64)

    assert len(str(longest).encode()) < 200
    assert BranchName.parsed(str(longest)) == longest
    assert BranchName.parsed(f"{longest}e") is None


async def test_recovery_waits_for_the_living(pair: list[Database], monkeypatch: pytest.MonkeyPatch) -> None:
    halt = Halt(monkeypatch, "both prepared")
    task = asyncio.create_task(award(pair))
    await halt.reached.wait()

    (found,) = await recover(pair)
    assert (found.settlement, found.name) == (Settlement.LEFT, "")
    assert "at work" in found.reason

    recovering = asyncio.create_task(recover(pair))
    halt.go_on.set()
    await task
    assert [one for one in await recovering if one.settlement is Settlement.ROLLED_BACK] == []
    assert (await stored(*pair), await standing(*pair)) == ([1, 1], 0)


@pytest.mark.parametrize("knows", [True, False])
async def test_whoever_has_lost_the_lock_cannot_decide_any_more(
    pair: list[Database], knows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    halt = Halt(monkeypatch, "decided", before=True)
    task = asyncio.create_task(award(pair))
    await halt.reached.wait()
    dsn = pair[0].settings.url
    assert await ask(dsn, TAKE_THE_LOCK_AWAY) == [True]

    settled = await recover(pair)
    with monkeypatch.context() as patch:
        if not knows:  # as when a network has swallowed it
            patch.setattr(asyncpg.Connection, "is_closed", lambda self: False)
        halt.go_on.set()
        with pytest.raises(ConnectionLost if knows else OutcomeUnknown):
            await task
    assert [one.settlement for one in settled] == [Settlement.ROLLED_BACK] * 2
    assert await stored(*pair) == [0, 0]
    assert await ask(dsn, LOG) == []


async def test_decided_by_one_who_then_lost_the_lock_is_committed_by_all(
    pair: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    halt = Halt(monkeypatch, "decided")
    task = asyncio.create_task(award(pair))
    await halt.reached.wait()
    dsn = pair[0].settings.url
    assert await ask(dsn, TAKE_THE_LOCK_AWAY) == [True]

    settled = await recover(pair)
    halt.go_on.set()
    await task

    assert [one.settlement for one in settled] == [Settlement.COMMITTED] * 2
    assert (await stored(*pair), await standing(*pair), await ask(dsn, LOG)) == ([1, 1], 0, [])


async def test_caches_forget_what_is_committed_and_not_before(
    pair: list[Database], two_dsns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = samples.issuer()
    async with pair[1].transaction() as tx:
        await tx.issuers.create(before)
    after = replace(before, name="Another", version=2)
    async with opened_pair(two_dsns[1]) as (elsewhere,):
        for database in (pair[1], elsewhere):
            assert await database.read().issuers.get(before.id) == before
        halt = Halt(monkeypatch, "decided")

        async def rename() -> None:
            async with distributed(*pair) as (_, there):
                await there.issuers.update(after, expected_version=1)

        task = asyncio.create_task(rename())
        await halt.reached.wait()
        for database in (pair[1], elsewhere):  # which may keep it anew now
            assert await database.read().issuers.get(before.id) == before
        halt.go_on.set()
        await task

        assert await pair[1].read().issuers.get(before.id) == after
        async with asyncio.timeout(60):
            while await elsewhere.read().issuers.get(before.id) != after:
                await asyncio.sleep(0.01)


async def test_a_check_tells_what_has_stood_prepared_for_long(
    pair: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = str(BranchName("here", "0" * 32, "there"))
    await prepare(pair[0].settings.url, "another's", ours)

    async def found() -> dict[str, bool]:
        return {one.about: one.is_note async for one in check(pair[0]) if one.code == "prepared_transaction"}

    assert await found() == {"transaction another's": True, f"transaction {ours}": True}
    monkeypatch.setattr(catalogue, "_LONG_SECONDS", 0)
    assert await found() == {"transaction another's": True, f"transaction {ours}": False}
