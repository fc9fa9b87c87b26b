"""Migrations: foreign and newer databases are refused, and concurrent migrations take turns."""

# A transaction may raise its error only at the end of its block.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lapel.database.conformance.opening import connected
from lapel.database.errors import DatabaseBusy, ForeignDatabase, NewerDatabase
from lapel.database.interface import Database, DatabaseSettings

__all__ = ["ForeignDatabaseRules", "MigrationLockRules"]

STAMPED = "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)"
FOREIGN = {
    "tables of somebody else": (["CREATE TABLE orders (id integer)"], "orders"),
    "tables of somebody else that are called like ours": (
        ["CREATE TABLE issuers (id integer)", "CREATE TABLE customers (id integer)"],
        "customers, issuers",
    ),
    "another project's revision": (
        ["CREATE TABLE orders (id integer)", STAMPED, "INSERT INTO alembic_version VALUES ('ae1027a6acf')"],
        "ae1027a6acf",
    ),
    "another project's revision that is called like ours": (
        ["CREATE TABLE issuers (id integer)", STAMPED, "INSERT INTO alembic_version VALUES ('0001')"],
        "issuers",
    ),
    "a table of revisions without one": ([STAMPED], "nothing"),
}


class ForeignDatabaseRules:
    @pytest.mark.parametrize("kind", FOREIGN)
    async def test_one_that_is_not_ours_is_refused_and_left_as_it_is(
        self, database_settings: tuple[str, DatabaseSettings], kind: str
    ) -> None:
        statements, named = FOREIGN[kind]
        async with connected(*database_settings) as database:
            async with database.maintenance(writes=True) as session:
                for statement in statements:
                    await session.run(statement)
                before = await database.catalogue.facts(session)

            for look in (database.migrate(), database.migration_status()):
                with pytest.raises(ForeignDatabase, match=named) as caught:
                    await look
                assert caught.value.hint

            async with database.maintenance() as session:
                assert await database.catalogue.facts(session) == before

    async def test_ours_may_hold_tables_of_others_besides(self, database: Database) -> None:
        async with database.maintenance(writes=True) as session:
            await session.run("CREATE TABLE orders (id integer)")
        assert (await database.migrate()).pending == ()

    async def test_ours_at_an_unknown_revision_is_of_a_newer_version(self, database: Database) -> None:
        async with database.maintenance(writes=True) as session:
            await session.run("UPDATE alembic_version SET version_num = '0999'")
        with pytest.raises(NewerDatabase):
            await database.migrate()


class MigrationLockRules:
    async def test_one_that_fails_leaves_nothing(self, database_settings: tuple[str, DatabaseSettings]) -> None:
        async with connected(*database_settings) as database:
            with pytest.raises(LookupError):
                async with database.maintenance(writes=True) as session:
                    await session.run("CREATE TABLE half (id integer)")
                    raise LookupError
            async with database.maintenance() as session:
                assert await database.catalogue.tables(session) == set()

    async def test_it_does_not_wait_for_ever_for_another(self, database_settings: tuple[str, DatabaseSettings]) -> None:
        name, settings = database_settings
        async with connected(name, replace(settings, lock_seconds=0.2)) as database:
            async with database.maintenance(writes=True):
                with pytest.raises(DatabaseBusy) as caught:
                    await asyncio.create_task(database.migrate())
                assert caught.value.hint
            assert (await database.migrate()).pending == ()
