"""What a check finds on any database, with the damage really done."""

from __future__ import annotations

import re

import pytest

from lapel.database.append_only import append_only, own_triggers
from lapel.database.conformance import samples
from lapel.database.conformance.catalogue import CHANGES, CONSTRAINTS, without_constraint, wrong_rows
from lapel.database.conformance.opening import connected
from lapel.database.errors import SessionMisuse
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.migrations.runner import STAMP
from lapel.database.schema.catalogue import Finding
from lapel.maintenance.checking import check


async def findings_of(database: Database) -> list[Finding]:
    return [finding async for finding in check(database)]


async def run(database: Database, *statements: str) -> None:
    async with database.maintenance(writes=True) as session:
        for statement in statements:
            await session.run(statement)


async def test_where_all_is_well_nothing_is_found(database: Database) -> None:
    scene = await samples.set_scene(database)
    async with database.transaction() as tx:
        await tx.credentials.create(scene.credential(0))
    steps: list[str] = []
    assert [finding async for finding in check(database, steps.append)] == []
    assert len(steps) > 40


async def test_it_changes_nothing(database: Database) -> None:
    async with database.maintenance() as session:
        before = await database.catalogue.facts(session)
    await findings_of(database)
    async with database.maintenance() as session:
        assert await database.catalogue.facts(session) == before


async def test_where_tables_are_still_to_be_made_nothing_else_is_said(
    database_settings: tuple[str, DatabaseSettings],
) -> None:
    async with connected(*database_settings) as database:
        assert [finding.code for finding in await findings_of(database)] == ["pending_migration"]


async def test_of_a_database_of_somebody_else_nothing_else_is_said(
    database_settings: tuple[str, DatabaseSettings],
) -> None:
    async with connected(*database_settings) as database:
        await run(database, "CREATE TABLE orders (id integer)")
        (finding,) = await findings_of(database)
        assert (finding.code, finding.is_note) == ("database_foreign", False)


async def test_from_inside_a_transaction_it_is_refused_once(database: Database) -> None:
    async with database.transaction():
        assert {finding.code for finding in await findings_of(database)} == {SessionMisuse.code}


@pytest.mark.parametrize("expected", CHANGES)
async def test_a_change_of_the_schema_is_found(database: Database, expected: str) -> None:
    await run(database, *CHANGES[expected])
    (finding,) = await findings_of(database)
    assert f"{finding.code}: {finding.about}" == expected
    assert finding.is_note == expected.startswith("not_ours")
    assert finding.about in finding.detail


@pytest.mark.parametrize("name", CONSTRAINTS)
async def test_a_missing_constraint_is_found(database: Database, name: str) -> None:
    await run(database, *without_constraint(database, name))
    assert [finding.about for finding in await findings_of(database)] == [CONSTRAINTS[name]]


async def test_a_trigger_that_keeps_the_audit_log_is_missed(database: Database) -> None:
    for statement in append_only(database.dialect):
        made = re.match(r"CREATE TRIGGER (\w+)", statement)
        if made is None:
            continue
        # Where a trigger says for each of what it is, one is dropped from its table.
        await run(database, f"DROP TRIGGER {made[1]}{' ON audit_log' if 'FOR EACH' in statement else ''}")
        (finding,) = await findings_of(database)
        assert (finding.code, finding.about) == ("missing_trigger", f"trigger {made[1]} of audit_log")
        await run(database, statement)
        assert await findings_of(database) == []


@pytest.mark.parametrize("table", ["api_keys", "mine", STAMP])
async def test_a_trigger_that_is_not_ours_is_no_note(database: Database, table: str) -> None:
    ours = own_triggers(database.dialect)
    if not ours:
        pytest.skip("whether there are triggers, only its own module can say")
    trigger = ours["audit_log_not_changed"].replace("audit_log_not_changed", "hostile")
    await run(database, "CREATE TABLE mine (name text)", trigger.replace(" ON audit_log", f" ON {table}"))
    (finding,) = [found for found in await findings_of(database) if found.about != "table mine"]
    assert (finding.code, finding.about) == ("undeclared_trigger", f"trigger hostile of {table}")
    assert not finding.is_note


async def test_what_it_says_about_an_index_mends_it(database: Database) -> None:
    await run(database, "DROP INDEX ix_credentials_issuer_id_withdrawn")
    (finding,) = await findings_of(database)
    command = re.search(r"`(CREATE INDEX .*?);`", finding.hint, re.DOTALL)
    assert command
    await run(database, command[1])
    assert await findings_of(database) == []


async def test_rows_that_no_constraint_forbids_are_found(database: Database) -> None:
    wrong = await wrong_rows(database)
    found = await findings_of(database)
    assert {finding.code for finding in found} == {"broken_rows"}
    assert len(found) == len(wrong)
    for what, key in wrong.items():
        (finding,) = [finding for finding in found if what in finding.detail]
        assert key in finding.detail


async def test_positions_and_versions_that_went_back_are_found(database: Database) -> None:
    scene = await samples.set_scene(database)
    async with database.transaction() as tx:
        await tx.credentials.create(scene.credential(0))
    await run(database, "UPDATE status_lists SET allocated = 0", "UPDATE achievements SET version = 7")
    found = {finding.about: finding.detail for finding in await findings_of(database)}
    assert found.keys() == {"status_lists", "achievements"}
    assert str(scene.status_list.id) in found["status_lists"]
    assert str(scene.achievement.id) in found["achievements"]


async def test_of_many_broken_rows_a_few_are_named(database: Database) -> None:
    scene = await samples.set_scene(database)
    async with database.transaction() as tx:
        await tx.credentials.create_many([samples.credential(scene.issuer.id, signed=b"") for _ in range(500)])
    (finding,) = await findings_of(database)
    assert finding.detail.endswith(" and more.")
    assert len(finding.detail) < 1_000
