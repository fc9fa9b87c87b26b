"""Reads from a standby: whoever was told of a write sees it in each later read, whatever becomes of the standby."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.health import ConnectionState, StandbyHealth
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql.connection_manager import Connection, PostgresqlConnectionManager
from lapel.database.postgresql.module import PostgresqlDatabase
from lapel.database.postgresql.session import PooledSession
from lapel.database.statement import Parameters, Row, Statement
from lapel.domain.issuer import Issuer
from tests.faults.site import Site
from tests.faults.test_idempotency import single
from tests.faults.test_reconnection import becomes
from tests.support.databases import opened
from tests.support.load import Request, asked
from tests.support.postgres_pair import PostgresPair

pytestmark = pytest.mark.alone  # how soon, or in which order, things happen is the promise

Answers: TypeAlias = list[PostgresqlConnectionManager]


@pytest.fixture
def answered_by(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Through whose connections each answer came, the latest last."""
    answered: Answers = []
    fetch = PooledSession._fetch

    async def noting(self: PooledSession, connection: Connection, statement: Statement, given: Parameters) -> list[Row]:
        rows = await fetch(self, connection, statement, given)
        answered.append(self._manager)
        return rows

    monkeypatch.setattr(PooledSession, "_fetch", noting)
    return answered


@asynccontextmanager
async def reading(pair: PostgresPair, name: str) -> AsyncIterator[PostgresqlDatabase]:
    """A database whose reads may come from the standby. It keeps nothing in memory."""
    settings = DatabaseSettings(url=pair.url(name), read_url=pair.url_of(pair.standby, name), cache_seconds=0)
    async with opened("postgresql", settings) as database:
        assert isinstance(database, PostgresqlDatabase)
        yield database


async def changed(database: Database, issuer: Issuer) -> Issuer:
    """The issuer in its next version."""
    new = replace(issuer, version=issuer.version + 1)
    async with database.transaction() as tx:
        await tx.issuers.update(new, expected_version=issuer.version)
    return new


def standby_of(database: PostgresqlDatabase) -> Callable[[ConnectionState], Callable[[], bool]]:
    assert database.standby is not None
    standby = database.standby
    return lambda state: lambda: standby.state is state


async def told(database: Database) -> StandbyHealth:
    found = (await database.health()).standby
    assert found is not None
    return found


async def test_what_is_read_outside_a_transaction_comes_from_the_standby(
    pair: PostgresPair, answered_by: Answers
) -> None:
    async with reading(pair, pair.create_database()) as database:
        scene = await samples.set_scene(database)
        await asyncio.to_thread(pair.wait_for_replay)
        assert await database.read().issuers.get(scene.issuer.id) == scene.issuer
        assert answered_by[-1] is database.standby
        assert (await told(database)).ok


async def test_each_write_is_seen_at_once_by_everybody_also_while_the_standby_falls_behind(pair: PostgresPair) -> None:
    name = pair.create_database()
    async with reading(pair, name) as one, reading(pair, name) as other:
        issuer = (await samples.set_scene(one)).issuer
        for number in range(60):
            if number == 20:
                await asyncio.to_thread(pair.pause)
            elif number == 40:
                await asyncio.to_thread(pair.go_on)
            issuer = await changed(one, issuer)
            seen = await asyncio.gather(*(database.read().issuers.get(issuer.id) for database in (one, other, other)))
            assert seen == [issuer] * 3, number
        await becomes(standby_of(other)(ConnectionState.CONNECTED))


async def test_a_standby_that_is_behind_is_told_and_left_and_taken_up_again(
    pair: PostgresPair, answered_by: Answers
) -> None:
    async with reading(pair, pair.create_database()) as database:
        issuer = (await samples.set_scene(database)).issuer
        await asyncio.to_thread(pair.pause)
        issuer = await changed(database, issuer)
        assert await database.read().issuers.get(issuer.id) == issuer
        assert answered_by[-1] is database.manager
        health = await told(database)
        assert not health.ok
        assert "bytes behind" in str(health.detail)
        assert (await database.health()).ok, "the database itself is there"
        await asyncio.to_thread(pair.go_on)
        await becomes(standby_of(database)(ConnectionState.CONNECTED))
        assert (await told(database)).ok


async def test_a_standby_that_hangs_is_waited_for_a_second_and_then_not_at_all(
    pair: PostgresPair, answered_by: Answers
) -> None:
    async with reading(pair, pair.create_database()) as database:
        issuer = (await samples.set_scene(database)).issuer
        await asyncio.to_thread(pair.wait_for_replay)
        assert await database.read().issuers.get(issuer.id) == issuer
        pair.standby.suspend()
        try:
            started = time.monotonic()
            assert await database.read().issuers.get(issuer.id) == issuer
            assert time.monotonic() - started < 3
            await becomes(standby_of(database)(ConnectionState.DEGRADED))
            assert await database.read().issuers.get(issuer.id) == issuer
            assert answered_by[-2:] == [database.manager] * 2
        finally:
            pair.standby.resume()
        await becomes(standby_of(database)(ConnectionState.CONNECTED))


async def test_without_the_standby_the_primary_answers_from_the_start(pair: PostgresPair, answered_by: Answers) -> None:
    name = pair.create_database()
    await asyncio.to_thread(pair.configure, "synchronous_standby_names", "")
    await asyncio.to_thread(pair.standby.kill)
    async with reading(pair, name) as database:
        issuer = (await samples.set_scene(database)).issuer
        assert await database.read().issuers.get(issuer.id) == issuer
        assert not (await told(database)).ok
        await asyncio.to_thread(pair.standby.start)
        await becomes(standby_of(database)(ConnectionState.CONNECTED))
        await asyncio.to_thread(pair.wait_for_replay)
        async with asyncio.timeout(60):
            while answered_by[-1] is not database.standby:  # which is left alone for a moment after it has failed
                assert await database.read().issuers.get(issuer.id) == issuer
                await asyncio.sleep(0.01)


async def test_a_standby_that_was_promoted_answers_nothing_for_the_primary_that_it_left(
    pair: PostgresPair, answered_by: Answers
) -> None:
    name = pair.create_database()
    url, read_url = pair.url_of(pair.primary, name), pair.url_of(pair.standby, name)
    async with opened("postgresql", DatabaseSettings(url=url, read_url=read_url, cache_seconds=0)) as database:
        issuer = (await samples.set_scene(database)).issuer
        await asyncio.to_thread(pair.configure, "synchronous_standby_names", "")
        await asyncio.to_thread(pair.promote)
        issuer = await changed(database, issuer)
        assert await database.read().issuers.get(issuer.id) == issuer
        assert answered_by[-1] is database.manager
        assert "no standby of the primary" in str((await told(database)).detail)


async def test_a_server_of_another_kind_answers_nothing(pair: PostgresPair, postgres_dsn: str) -> None:
    settings = DatabaseSettings(url=pair.url(pair.create_database()), read_url=postgres_dsn, cache_seconds=0)
    async with opened("postgresql", settings) as database:
        issuer = (await samples.set_scene(database)).issuer
        assert await database.read().issuers.get(issuer.id) == issuer
        assert "no standby of the primary" in str((await told(database)).detail)


@pytest.mark.parametrize("falls_behind", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_every_process_answers_what_any_has_acknowledged(
    pair: PostgresPair, tmp_path: Path, falls_behind: bool
) -> None:
    name = pair.create_database()
    read_url = pair.url_of(pair.standby, name)
    site = Site(tmp_path, dsn=pair.url(name), DATABASE_READ_URL=read_url, LAPEL_WORKERS="2")
    achievement = await site.achievement()
    await asyncio.to_thread(pair.wait_for_replay)
    with site.server():
        if falls_behind:
            await asyncio.to_thread(pair.pause)
        issued = await asked(site.port, [single(achievement, f"key-{number}") for number in range(8)])
        paths = [json.loads(answer.body)["id"].partition(str(site.port))[2] for answer in issued]
        revoked = [Request("revoke", path, "POST", f"{path}/status", {"status": "revoked"}) for path in paths]
        assert {answer.status for answer in await asked(site.port, revoked)} == {200}
        listed = await asked(site.port, [Request("look", "", "GET", "/v3/credentials?status=revoked")] * 8)
        assert [len(json.loads(answer.body)["items"]) for answer in listed] == [len(paths)] * 8
        assert site.ready()
