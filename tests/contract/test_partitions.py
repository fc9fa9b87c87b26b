"""The table of credentials in parts, as docs/scaling.md makes them: what holds then, and what does not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.conformance.opening import connected
from lapel.database.errors import UniqueViolation
from lapel.database.interface import DatabaseSettings
from lapel.database.postgresql.session import DIALECT
from lapel.database.repositories import credentials as statements
from lapel.maintenance.checking import check
from tests.docs.test_operating import block
from tests.support.connections import connection_to
from tests.support.postgres_server import PostgresServer
from tests.support.rules import KINDS, broken_rules
from tests.support.source_tree import REPOSITORY

PAGE = REPOSITORY / "docs" / "scaling.md"
BY_ORGANISATION, BY_TIME = "partitions-by-organisation", "partitions-by-time"


@pytest.fixture(scope="module", params=[BY_ORGANISATION, BY_TIME])
def layout(request: pytest.FixtureRequest) -> str:
    """The name of the page's block."""
    return str(request.param)


@pytest.fixture(scope="module")
def template(layout: str, postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The address of a database in which there was a credential before it was laid out so."""
    dsn = postgres.create_database(template=postgres_template)

    async def lay_out() -> None:
        async with connected("postgresql", DatabaseSettings(url=dsn)) as database:
            scene = await samples.set_scene(database)
            before = scene.credential(1)
            async with database.transaction() as tx:
                await tx.credentials.create(before)
            async with connection_to(dsn) as connection:
                await connection.execute(block(layout, PAGE))
                assert await database.read().credentials.get(before.id) == before
                await connection.execute("DELETE FROM credentials")
                await connection.execute(
                    "DELETE FROM status_lists; DELETE FROM achievement_versions; DELETE FROM achievements"
                )
                await connection.execute("DELETE FROM issuers")

    asyncio.run(lay_out())
    yield dsn
    postgres.drop_database(dsn)


@pytest.fixture
def databases(postgres: PostgresServer, template: str) -> Callable[[], AbstractContextManager[DatabaseSettings]]:
    @contextmanager
    def database() -> Iterator[DatabaseSettings]:
        dsn = postgres.create_database(template=template)
        yield DatabaseSettings(url=dsn)
        postgres.drop_database(dsn)

    return database


def test_the_rules_for_credentials_hold(databases: Callable[[], AbstractContextManager[DatabaseSettings]]) -> None:
    assert broken_rules(databases, of=("TestCredential",)) == {}


@pytest.mark.long
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "TestCheck"])
def test_every_rule_holds_but_those_of_the_check(
    kind: str, databases: Callable[[], AbstractContextManager[DatabaseSettings]]
) -> None:
    assert broken_rules(databases, of=(kind,)) == {}


async def test_the_check_tells_of_the_keys_and_the_parts_alone(
    databases: Callable[[], AbstractContextManager[DatabaseSettings]],
) -> None:
    with databases() as settings:
        async with connected("postgresql", settings) as database:
            findings = [finding async for finding in check(database)]
    wrong = {finding.about for finding in findings if not finding.is_note}
    notes = [finding.detail for finding in findings if finding.is_note]
    assert {
        "index uq_credentials_issue_key of credentials",
        "unique status_list_id, status_position of credentials",
    } <= wrong
    assert wrong <= {
        "index uq_credentials_issue_key of credentials",
        "unique status_list_id, status_position of credentials",
        "primary key id of credentials",
    }
    assert all(re.search(r"credentials_\w+|of credentials is not", note) for note in notes)


async def parts_looked_in(connection: asyncpg.Connection, sql: str) -> int:
    """How many parts PostgreSQL reads for it, with values that are known only when it runs."""
    types = dict(re.findall(r"\$(\d+)::(\w+)", sql))
    values = ", ".join(f"'{UUID(int=0x0199 << 112)}'" if types[n] == "UUID" else "1" for n in sorted(types, key=int))
    await connection.execute(f"PREPARE query AS {sql}")
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) EXECUTE query({values})")
    await connection.execute("DEALLOCATE query")
    steps = [str(row[0]) for row in rows]
    scans = {
        found[1] for step in steps if (found := re.search(r"Scan .*on (credentials_\w+)", step)) and "never" not in step
    }
    return len(scans)


async def test_a_credential_is_looked_for_where_it_can_be(
    layout: str, databases: Callable[[], AbstractContextManager[DatabaseSettings]]
) -> None:
    with databases() as settings:
        async with connection_to(settings.url) as connection:
            await connection.execute("SET plan_cache_mode = force_generic_plan")
            by_id = await parts_looked_in(connection, statements.SqlCredentialRepository._FIND.compiled(DIALECT).sql)
            of_organisation = await parts_looked_in(
                connection, "SELECT id FROM credentials WHERE organisation_id = $1::UUID"
            )
    assert (by_id, of_organisation == 1) == {BY_ORGANISATION: (4, True), BY_TIME: (1, False)}[layout]


async def test_one_issue_key_twice_is_refused(
    layout: str, databases: Callable[[], AbstractContextManager[DatabaseSettings]]
) -> None:
    with databases() as settings:
        async with connected("postgresql", settings) as database:
            scene = await samples.set_scene(database)
            first, second = (replace(scene.credential(number), issue_key=b"one") for number in (1, 2))
            earlier = replace(scene.credential(3), id=UUID(int=0x018F << 112), issue_key=b"one")  # of 2024
            async with database.transaction() as tx:
                await tx.credentials.create(first)
            with pytest.raises(UniqueViolation):
                async with database.transaction() as tx:
                    await tx.credentials.create(second)
            is_refused = False
            try:
                async with database.transaction() as tx:
                    await tx.credentials.create(earlier)
            except UniqueViolation:
                is_refused = True
    assert is_refused == (layout == BY_ORGANISATION)  # across years PostgreSQL cannot know
