"""Two PostgreSQL servers with synchronous replication: the primary dies under load, and the standby takes its place."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from lapel.database.conformance import samples
from lapel.database.errors import ConnectionLost, OutcomeUnknown
from lapel.database.health import ConnectionState
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql.connection_manager import PostgresqlConnectionManager
from lapel.database.two_phase.participant import BranchName
from lapel.services.issuing.bulk_issuing import Row, key_of_id
from tests.faults.conftest import Tell
from tests.faults.outages import turns, writes_go_on
from tests.faults.site import Site
from tests.faults.test_idempotency import batch, single
from tests.faults.test_reconnection import becomes, state_is
from tests.support.broken_network import BrokenNetwork
from tests.support.databases import opened
from tests.support.load import Load, asked
from tests.support.postgres_pair import USER, PostgresPair
from tests.support.readiness import Readiness
from tests.support.waiting import eventually
from tests.unit.services.server import OWNER, Server, award

pytestmark = pytest.mark.alone  # how soon, or in which order, things happen is the promise


async def test_nothing_acknowledged_is_lost_when_the_standby_takes_over(
    pair: PostgresPair, tmp_path: Path, cycles: int, tell: Tell
) -> None:
    site = Site(tmp_path, dsn=pair.url(pair.create_database()), DB_POOL_MAX="4", DB_CONNECT_TIMEOUT_MS="2000")
    achievement = await site.achievement()
    load = Load(site.port, achievement)
    away: list[float] = []
    red: list[float] = []
    keyed = []
    with site.server() as server, Readiness.watched(site.port) as readiness, load.running():
        for cycle in range(cycles):
            await writes_go_on(load, since=time.monotonic())
            kinds = [(single if number % 2 else batch)(achievement, f"{cycle}-{number}") for number in range(20)]
            asking = asyncio.create_task(asked(site.port, kinds, connections=4))
            await asyncio.sleep(0)
            await asyncio.to_thread(pair.primary.kill)
            killed_at = time.monotonic()
            red.append(await turns(readiness, False, since=killed_at))
            await asyncio.to_thread(pair.promote)
            promoted_at = time.monotonic()
            await turns(readiness, True, since=promoted_at)
            await writes_go_on(load, since=promoted_at)
            done = [answer for answer in load.since(killed_at) if answer.status == 201]
            away.append(min(answer.sent_at + answer.seconds for answer in done) - killed_at)
            keyed += await asking
            await asyncio.to_thread(pair.rejoin)
        again = await asked(site.port, [answer.request for answer in keyed])
        assert server.poll() is None
    for before, after in zip(keyed, again, strict=True):
        assert after.status == 201, after
        assert before.status != 201 or before.body == after.body
    found = await site.audit(load, everything=cycles > 1)
    tell(f"{cycles} times; {found}; red within {max(red):.2f} s; writes away for {max(away):.2f} s at most")
    assert max(red) < 2.0


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = $1"
CUT_SHORT = WAITING.replace("pid", "count(pg_cancel_backend(pid))", 1)


async def stored(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.issuers.create(samples.issuer())


async def waits(pair: PostgresPair) -> int:
    """The process of a commit that waits for the standby."""
    found = await asyncio.to_thread(lambda: eventually(lambda: pair.primary.ask(WAITING, USER)))
    assert found
    return int(str(await asyncio.to_thread(pair.primary.ask, WAITING, USER)))


@pytest.mark.parametrize("way", ["cancel", "terminate"])
async def test_a_commit_that_stops_waiting_for_the_standby_is_not_told_as_done(pair: PostgresPair, way: str) -> None:
    async with opened("postgresql", DatabaseSettings(url=pair.url(pair.create_database()))) as database:
        pair.standby.suspend()
        try:
            storing = asyncio.create_task(stored(database))
            await asyncio.to_thread(pair.primary.ask, f"SELECT pg_{way}_backend({await waits(pair)})")
            with pytest.raises(OutcomeUnknown):
                await storing
            settling = asyncio.create_task(database.make_durable())  # before it is answered again that it is done
            await asyncio.to_thread(pair.primary.ask, f"SELECT pg_{way}_backend({await waits(pair)})")
            with pytest.raises(OutcomeUnknown):
                await settling
        finally:
            pair.standby.resume()
        await database.make_durable()
        await stored(database)
        assert database.metrics.transactions["unknown"] == 1
        assert database.pool_status().in_use == 0


async def test_no_row_of_a_list_is_told_as_issued_before_the_standby_has_it(pair: PostgresPair) -> None:
    async with opened("postgresql", DatabaseSettings(url=pair.url(pair.create_database()))) as database:
        server = Server(database)
        await server.issuer()
        achievement = await server.achievement()
        first, second = (
            [Row(key_of_id(achievement.id, name), award(achievement=str(achievement.id)))] for name in ("1", "2")
        )
        await server.bulk_issuing.issue(OWNER, achievement.id, first)
        pair.standby.suspend()
        try:
            for _ in range(2):  # the commit itself is cut short; then what it has stored is found
                issuing = asyncio.create_task(server.bulk_issuing.issue(OWNER, achievement.id, second))
                while not issuing.done():
                    await asyncio.to_thread(pair.primary.ask, CUT_SHORT, USER)
                    await asyncio.sleep(0.02)
                with pytest.raises(OutcomeUnknown):
                    await issuing
        finally:
            pair.standby.resume()
        (found,) = await server.bulk_issuing.issue(OWNER, achievement.id, second)
        assert found.credential is not None
        assert not found.is_new


async def test_no_step_of_a_distributed_transaction_is_done_before_the_standby_has_it(pair: PostgresPair) -> None:
    async with opened("postgresql", DatabaseSettings(url=pair.url(pair.create_database()))) as database:
        side = await database.participate()
        name = str(BranchName(side.identity, "0" * 32, side.identity))
        async with database.transaction(prepared_as=name) as tx:
            await tx.issuers.create(samples.issuer())
        pair.standby.suspend()
        try:
            for step in (side.decide([name]), side.settle(name, commit=True)):
                doing = asyncio.create_task(step)
                await asyncio.to_thread(pair.primary.ask, f"SELECT pg_cancel_backend({await waits(pair)})")
                with pytest.raises(OutcomeUnknown):
                    await doing
        finally:
            pair.standby.resume()
            side.close()


async def test_a_primary_that_does_not_know_it_was_replaced_acknowledges_nothing_and_is_left(
    pair: PostgresPair,
) -> None:
    settings = DatabaseSettings(url=pair.url(pair.create_database()), statement_seconds=0.1)
    async with opened("postgresql", settings) as database:
        old = database.configuration()["host"]
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
        await asyncio.to_thread(pair.promote)
        with pytest.raises((OutcomeUnknown, ConnectionLost)):  # the second where it is found just before the commit
            await stored(database)
        await becomes(lambda: database.configuration()["host"] != old)
        async with database.transaction() as tx:
            assert await tx.issuers.default() == issuer, "what only the old one has is not here"
        assert await asyncio.to_thread(pair.standby.ask, "SELECT pg_is_in_recovery()") is False


async def test_after_a_restart_the_primary_that_was_replaced_is_not_taken_though_it_comes_first(
    pair: PostgresPair,
) -> None:
    url = pair.url(pair.create_database())
    async with opened("postgresql", DatabaseSettings(url=url)):
        pass
    await asyncio.to_thread(pair.primary.kill)
    await asyncio.to_thread(pair.promote)
    await asyncio.to_thread(pair.configure, "synchronous_standby_names", "")  # its standby will not come
    await asyncio.to_thread(pair.standby.start)
    async with opened("postgresql", DatabaseSettings(url=url)) as database:
        assert database.configuration()["host"] == f"{pair.primary.socket_dir}:5432"
        await stored(database)


async def test_a_primary_whose_machine_is_gone_keeps_nobody_from_the_new_one(pair: PostgresPair) -> None:
    name = pair.create_database()
    with BrokenNetwork.to(pair.primary.socket_dir / ".s.PGSQL.5432") as network:
        hosts = f"host=127.0.0.1,{pair.standby.socket_dir}&port={network.port},5432"
        url = f"postgresql://{USER}@/{name}?{hosts}&target_session_attrs=read-write"
        async with opened("postgresql", DatabaseSettings(url=url)) as database:
            await stored(database)
            network.fall_silent()
            await becomes(state_is(database, ConnectionState.DEGRADED), within=3)
            await asyncio.to_thread(pair.promote)
            await asyncio.to_thread(pair.configure, "synchronous_standby_names", "")
            await becomes(state_is(database, ConnectionState.CONNECTED))
            await stored(database)


async def test_what_was_kept_before_a_fail_over_is_not_believed_after_it(pair: PostgresPair) -> None:
    url = pair.url(pair.create_database())
    async with opened("postgresql", DatabaseSettings(url=url)) as one:
        scene = await samples.set_scene(one)
        assert await one.read().issuers.get(scene.issuer.id) == scene.issuer
        await asyncio.to_thread(pair.primary.kill)
        await asyncio.to_thread(pair.promote)
        await asyncio.to_thread(pair.configure, "synchronous_standby_names", "")
        changed = replace(scene.issuer, version=2)
        async with opened("postgresql", DatabaseSettings(url=url)) as other, other.transaction() as tx:
            await tx.issuers.update(changed, expected_version=1)
        await becomes(lambda: one.generation == 1)
        async with asyncio.timeout(60):
            while await one.read().issuers.get(changed.id) != changed:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(("setting", "warned"), [("local", 1), ("remote_write", 1), ("on", 0), ("remote_apply", 0)])
async def test_commits_that_do_not_wait_for_the_standby_are_warned_of(
    pair: PostgresPair, setting: str, warned: int
) -> None:
    pair.primary.ask(f"ALTER ROLE {USER} SET synchronous_commit = '{setting}'")
    try:
        with capture_logs() as lines:
            async with opened("postgresql", DatabaseSettings(url=pair.url(pair.create_database()))) as database:
                assert database.configuration()["synchronous_standby_names"] == "*"
    finally:
        pair.primary.ask(f"ALTER ROLE {USER} RESET synchronous_commit")
    said = f"The database's synchronous_commit is {setting}, not on or remote_apply"
    assert [line["event"] for line in lines].count(said) == warned


async def test_nothing_is_committed_where_it_was_begun_once_another_server_has_taken_its_place(
    pair: PostgresPair,
) -> None:
    await asyncio.to_thread(pair.wait_for_the_standby, "")  # else the one that was replaced could confirm nothing
    async with opened("postgresql", DatabaseSettings(url=pair.url(pair.create_database()))) as database:
        issuer = samples.issuer()
        before, manager = database.generation, database.manager
        assert isinstance(manager, PostgresqlConnectionManager)

        async def begun_before_the_fail_over() -> None:
            async with database.transaction() as tx:
                await tx.issuers.create(issuer)
                await asyncio.to_thread(pair.promote)
                manager.find_primary_again()
                await becomes(lambda: database.generation > before)

        await asyncio.to_thread(pair.wait_for_replay)
        with pytest.raises(ConnectionLost):
            await begun_before_the_fail_over()

        assert await database.read().issuers.find(issuer.id) is None
        await database.run(lambda tx: tx.issuers.create(issuer))
        assert await database.read().issuers.find(issuer.id) == issuer
