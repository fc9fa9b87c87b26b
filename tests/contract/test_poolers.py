"""pgbouncer between Lapel and PostgreSQL, in both of its modes: what docs/scaling.md promises of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.conformance.opening import connected
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.setting_tiers import SettingRefused
from tests.support.pgbouncer import Pgbouncer, pgbouncer
from tests.support.postgres_server import PostgresServer
from tests.support.rules import KINDS, broken_rules

SESSION = {"pool_mode": "session"}
TRANSACTION = {"pool_mode": "transaction"}


@pytest.fixture(scope="module", params=[SESSION, TRANSACTION], ids=["session", "transaction"])
def pooler(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[tuple[Pgbouncer, bool]]:
    """One in that mode, and whether it keeps prepared statements."""
    with pgbouncer(postgres.dsn("postgres"), **request.param) as running:
        yield running, request.param is SESSION


@pytest.fixture
def databases(
    pooler: tuple[Pgbouncer, bool], postgres: PostgresServer, postgres_template: str
) -> Callable[[], AbstractContextManager[DatabaseSettings]]:
    running, keeps = pooler

    @contextmanager
    def database() -> Iterator[DatabaseSettings]:
        dsn = postgres.create_database(template=postgres_template)
        yield DatabaseSettings(url=running.before(dsn), prepared_statements=keeps)
        postgres.drop_database(dsn)

    return database


def test_rules_hold_through_it(databases: Callable[[], AbstractContextManager[DatabaseSettings]]) -> None:
    assert broken_rules(databases, of=("TestCredential",)) == {}


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_holds_through_it(
    kind: str, databases: Callable[[], AbstractContextManager[DatabaseSettings]]
) -> None:
    assert broken_rules(databases, of=(kind,)) == {}


async def test_many_at_once_get_what_they_ask_for(pooler: tuple[Pgbouncer, bool], migrated_postgres_dsn: str) -> None:
    running, keeps = pooler
    settings = DatabaseSettings(url=running.before(migrated_postgres_dsn), prepared_statements=keeps)
    async with connected("postgresql", settings) as here, connected("postgresql", settings) as there:
        scene = await samples.set_scene(here)

        async def work(database: Database, worker: int) -> None:
            for number in range(worker * 100, worker * 100 + 10):
                mine = scene.credential(number)
                async with database.transaction() as tx:
                    await tx.credentials.create(mine)
                assert await database.read().credentials.get(mine.id) == mine
                streamed = database.read().credentials.stream(scene.issuer.organisation_id)
                assert mine in [found async for found in streamed]

        await asyncio.gather(*(work(database, worker) for worker, database in enumerate([here, there] * 4)))


async def test_a_change_by_another_process_is_seen(pooler: tuple[Pgbouncer, bool], migrated_postgres_dsn: str) -> None:
    running, keeps = pooler
    settings = DatabaseSettings(url=running.before(migrated_postgres_dsn), prepared_statements=keeps)
    async with connected("postgresql", settings) as here, connected("postgresql", settings) as there:
        issuer = (await samples.set_scene(here)).issuer
        async with asyncio.timeout(60):
            while not here.metrics.cache.hits:
                assert (await here.read().issuers.get(issuer.id)).name != "Renamed"
                await asyncio.sleep(0.02)
        async with there.transaction() as tx:
            await tx.issuers.update(replace(issuer, name="Renamed", version=2), expected_version=1)
        async with asyncio.timeout(60):
            while (await here.read().issuers.get(issuer.id)).name != "Renamed":
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("in_turns", ["0", "1"])
async def test_by_transaction_prepared_statements_are_refused(
    in_turns: str, postgres: PostgresServer, postgres_dsn: str
) -> None:
    with pgbouncer(postgres.dsn("postgres"), **TRANSACTION, server_round_robin=in_turns) as running:
        for _ in range(3):
            with pytest.raises(SettingRefused, match="loses prepared statements") as caught:
                async with connected("postgresql", DatabaseSettings(url=running.before(postgres_dsn))):
                    pass
            assert "DB_PREPARED_STATEMENTS=false" in str(caught.value.hint)


async def test_a_setting_that_it_does_not_take_is_named(postgres: PostgresServer, postgres_dsn: str) -> None:
    with (
        pgbouncer(postgres.dsn("postgres"), ignore_startup_parameters="") as running,
        pytest.raises(SettingRefused, match="unsupported startup parameter: statement_timeout") as caught,
    ):
        async with connected("postgresql", DatabaseSettings(url=running.before(postgres_dsn))):
            pass
    assert "ignore_startup_parameters" in str(caught.value.hint)


async def test_pooling_by_statement_is_refused(postgres: PostgresServer, postgres_dsn: str) -> None:
    with pgbouncer(postgres.dsn("postgres"), pool_mode="statement") as running:
        for keeps in (True, False):
            settings = DatabaseSettings(url=running.before(postgres_dsn), prepared_statements=keeps)
            with pytest.raises(SettingRefused, match="pools by statement") as caught:
                async with connected("postgresql", settings):
                    pass
            assert "by transaction with DB_PREPARED_STATEMENTS=false" in str(caught.value.hint)
