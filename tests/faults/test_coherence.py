"""What another process changes is seen here within a second, whatever becomes of the notification."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lapel.database.caching import TtlCache
from lapel.database.conformance import samples
from lapel.database.errors import DatabaseError
from lapel.database.interface import Database, DatabaseSettings
from lapel.domain.access import ApiKey
from lapel.domain.achievement import Achievement
from lapel.domain.issuer import Issuer
from lapel.errors import PreconditionFailed
from tests.faults.other_process import OtherProcess, other_process
from tests.support.connections import connection_to
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.alone  # how soon, or in which order, things happen is the promise

WITHIN = 1.0


@dataclass(frozen=True)
class Two:
    """A database in this process, the same in another one, and what stands in it."""

    here: Database
    there: OtherProcess
    issuer: Issuer
    achievement: Achievement
    key: ApiKey

    async def see(self) -> tuple[str, str, bool]:
        """What this process reads, through its cache: two names, and whether the key still opens anything."""
        read = self.here.read()
        key = await read.api_keys.find_by_digest(self.key.digest)
        assert key is not None
        return (
            (await read.issuers.get(self.issuer.id)).name,
            (await read.achievements.get(self.achievement.id)).name,
            key.revoked_at is None,
        )

    async def change(self, *command: object) -> float:
        """Let the other process change something while this one goes on reading. When it was committed."""
        changing = asyncio.ensure_future(asyncio.to_thread(self.there.change, *command))
        while not changing.done():
            await self.see()
            await asyncio.sleep(0.005)
        return await changing

    @property
    def loads(self) -> int:
        """How often something was read from the database."""
        metrics = self.here.metrics
        return sum(map(metrics.count, ("issuers.find", "achievements.find", "api_keys.find_by_digest")))


async def two(module: str, settings: DatabaseSettings, stack: AsyncExitStack, *, mute: bool = False) -> Two:
    here = await stack.enter_async_context(opened(module, settings))
    scene, key = await samples.set_scene(here), samples.api_key()
    async with here.transaction() as tx:
        await tx.api_keys.create(key)
    there = stack.enter_context(other_process(module, settings, mute=mute))
    return Two(here, there, scene.issuer, scene.achievement, key)


@pytest.fixture(params=["sqlite", "postgresql"])
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Two]:
    settings = DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")
    if request.param == "postgresql":
        settings = DatabaseSettings(url=request.getfixturevalue("postgres_dsn"))
    async with AsyncExitStack() as stack:
        yield await two(request.param, settings, stack)


async def settled(both: Two) -> None:
    """Read until what is read is kept for longer than a second."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        await both.see()
        before, until = both.loads, time.monotonic() + 1.2
        while time.monotonic() < until:
            await both.see()
            await asyncio.sleep(0.02)
        if both.loads == before:
            return
    pytest.fail("nothing is ever kept for longer than a second")


async def seen_in_time(both: Two, seen: Callable[[], Awaitable[bool]], committed: float) -> float:
    """Seconds until `seen`; no read that began a second after the commit may say otherwise."""
    while True:
        began = time.monotonic()
        try:
            if await seen():
                return began - committed
        except DatabaseError:  # while the database is away nothing is seen, and nothing wrong
            pass
        else:
            assert began - committed <= WITHIN
        await asyncio.sleep(0.005)


async def changes_are_seen(both: Two) -> list[float]:
    """One of each kind; how long each took."""
    mark = f"Renamed {random.random()}"  # noqa: S311 - a name
    took = []

    async def revoked() -> bool:
        return not (await both.see())[2]

    async def issuer_renamed() -> bool:
        return (await both.see())[0] == mark

    async def achievement_renamed() -> bool:
        return (await both.see())[1] == mark

    took.append(await seen_in_time(both, issuer_renamed, await both.change("rename", both.issuer.id, mark)))
    changed = await both.change("rename-achievement", both.achievement.id, mark)
    took.append(await seen_in_time(both, achievement_renamed, changed))
    took.append(await seen_in_time(both, revoked, await both.change("revoke", both.key.id)))
    return took


async def test_a_change_in_one_process_is_seen_in_another_and_what_does_not_change_is_kept(both: Two) -> None:
    await settled(both)
    print("seen after", await changes_are_seen(both))  # noqa: T201


async def test_so_it_is_after_reconnecting(both: Two) -> None:
    await both.see()
    await both.here.reconnect()
    await settled(both)
    await changes_are_seen(both)


async def listeners(server: PostgresServer, dsn: str, *, kill: bool = False) -> int:
    """How many connections to that database listen; they are killed if told."""
    async with connection_to(dsn) as connection:
        what = "pg_terminate_backend(pid)" if kill else "pid"
        query = f"SELECT {what} FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        # The last thing that a listening connection runs is the look at the table, or LISTEN.
        return len(await connection.fetch(f"{query} AND (query LIKE '%pg_snapshot_xmin%' OR query LIKE 'LISTEN%')"))


async def test_losing_the_listener_empties_the_cache_and_it_comes_back(
    postgres: PostgresServer, postgres_dsn: str
) -> None:
    async with AsyncExitStack() as stack:
        both = await two("postgresql", DatabaseSettings(url=postgres_dsn), stack)
        await settled(both)
        drops = both.here.metrics.cache.drops
        for _ in range(2):
            assert await listeners(postgres, postgres_dsn, kill=True) == 1
            await changes_are_seen(both)
        assert both.here.metrics.cache.drops >= drops + 2
        await settled(both)
        assert await listeners(postgres, postgres_dsn) == 1


async def test_a_notification_that_is_lost_is_not_missed(postgres_dsn: str) -> None:
    async with AsyncExitStack() as stack:
        both = await two("postgresql", DatabaseSettings(url=postgres_dsn), stack, mute=True)
        await settled(both)
        print("seen after", await changes_are_seen(both))  # noqa: T201


async def test_so_it_is_after_the_server_was_restarted(stoppable_postgres: PostgresServer) -> None:
    async with AsyncExitStack() as stack:
        both = await two("postgresql", DatabaseSettings(url=stoppable_postgres.create_database()), stack)
        await settled(both)
        await asyncio.to_thread(stoppable_postgres.restart, "immediate")
        await changes_are_seen(both)
        await settled(both)


async def test_a_transaction_that_began_long_ago_is_not_missed(postgres_dsn: str) -> None:
    # Transactions end in another order than they began; its number is older than those already looked at.
    settings = DatabaseSettings(url=postgres_dsn)
    async with AsyncExitStack() as stack:
        both = await two("postgresql", settings, stack)
        other = await stack.enter_async_context(opened("postgresql", settings))
        async with other.transaction() as tx:
            await tx.issuers.update(replace(both.issuer, name="Late", version=2), expected_version=1)
            await changes_of_others(both)
            await settled(both)
        committed = time.monotonic()

        async def seen() -> bool:
            return (await both.see())[0] == "Late"

        await seen_in_time(both, seen, committed)


async def changes_of_others(both: Two) -> None:
    async def seen() -> bool:
        return (await both.see())[1] == "Soon"

    await seen_in_time(both, seen, await both.change("rename-achievement", both.achievement.id, "Soon"))


async def test_nothing_is_asked_while_nothing_is_kept(postgres: PostgresServer, postgres_dsn: str) -> None:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn, cache_seconds=1.5)) as database:
        assert await listeners(postgres, postgres_dsn) == 0
        scene = await samples.set_scene(database)
        await database.read().issuers.get(scene.issuer.id)
        deadline = time.monotonic() + 60
        while await listeners(postgres, postgres_dsn) != 1:
            assert time.monotonic() < deadline
        while await listeners(postgres, postgres_dsn) != 0:
            assert time.monotonic() < deadline
        assert database.metrics.cache.entries == 0


@pytest.mark.parametrize("mute", [False, True])
async def test_versions_never_go_back_while_both_processes_change_them(
    both: Two, mute: bool, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers race with changes from here, from there and with drops; nobody's next answer is older than his last."""
    issuers = both.here.read().issuers
    load = issuers._find

    async def slow_load(*arguments: Any, **parameters: Any) -> Issuer | None:
        found = await load(*arguments, **parameters)
        await asyncio.sleep(random.choice((0, 0.001, 0.01)))  # noqa: S311 - the answer is long on its way
        return found

    monkeypatch.setattr(issuers, "_find", slow_load)
    here, cache = both.here, both.here._cache
    assert isinstance(cache, TtlCache)
    committed, stop = 1, time.monotonic() + (20 if request.config.getoption("-m") == "long" else 3)
    reads = 0

    async def write_here() -> None:
        nonlocal committed
        while time.monotonic() < stop:
            try:
                async with here.transaction() as tx:
                    issuer = await tx.issuers.get(both.issuer.id)
                    new = replace(issuer, version=issuer.version + 1)
                    await tx.issuers.update(new, expected_version=issuer.version)
            except PreconditionFailed:  # the other process was faster
                continue
            committed = max(committed, new.version)
            if mute:
                cache.clear()
            await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311 - a pause

    async def write_there() -> None:
        while time.monotonic() < stop:
            await asyncio.to_thread(both.there.change, "rename", both.issuer.id, "Again")
            await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - a pause

    async def read() -> None:
        nonlocal reads
        last = 0
        while time.monotonic() < stop:
            at_least = max(last, committed)
            last = (await issuers.get(both.issuer.id)).version
            assert last >= at_least
            reads += 1
            await asyncio.sleep(0 if random.random() < 0.9 else 0.002)  # noqa: S311 - a pause

    await asyncio.gather(write_here(), write_there(), *(read() for _ in range(20)))
    assert committed > 20
    assert reads > 500
    assert here.metrics.cache.hits > 50
