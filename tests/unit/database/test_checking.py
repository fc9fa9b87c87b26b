"""What `Database.check` finds of damage that each product allows in its own way, and beside a writer."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from lapel.database.conformance import samples
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql.module import PostgresqlDatabase
from lapel.database.schema.catalogue import Finding
from lapel.database.sqlite.module import SqliteDatabase
from lapel.maintenance.checking import check
from tests.support.connections import connection_to
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer

NOBODY = "00000000-0000-7000-8000-000000000000"


async def found(database: Database) -> list[Finding]:
    return [finding async for finding in check(database)]


async def with_a_credential(database: Database) -> samples.Scene:
    scene = await samples.set_scene(database)
    async with database.transaction() as tx:
        await tx.status_lists.reserve(samples.status_list(scene.issuer.id), count=49)
        await tx.credentials.create_many([scene.credential(index) for index in range(50)])
    return scene


ALTERED = {
    "sqlite": (
        "DROP TRIGGER audit_log_not_changed",
        "CREATE TRIGGER audit_log_not_changed BEFORE UPDATE ON audit_log BEGIN SELECT 1; END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NEW; END $$",
    ),
}


async def test_a_trigger_of_the_audit_log_that_does_something_else_is_told_with_what_mends_it(
    database: Database,
) -> None:
    async with database.maintenance(writes=True) as session:
        for statement in ALTERED[database.dialect.name]:
            await session.run(statement)
    told = await found(database)
    assert {finding.code for finding in told} == {"missing_trigger"}
    assert "trigger audit_log_not_changed of audit_log" in {finding.about for finding in told}
    mending = re.search(r"`(CREATE .*);`", told[0].hint, re.DOTALL)
    assert mending
    async with database.maintenance(writes=True) as session:
        if database.dialect.name == "sqlite":
            await session.run("DROP TRIGGER audit_log_not_changed")
        await session.run(mending[1])
    assert await found(database) == []


class TestSqlite:
    @pytest.fixture
    async def file(self, tmp_path: Path) -> Path:
        settings = DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")
        async with opened("sqlite", settings) as database:
            await with_a_credential(database)
        return tmp_path / "lapel.sqlite"

    async def found(self, file: Path) -> list[Finding]:
        database = SqliteDatabase(DatabaseSettings(sqlite_file=file))
        await database.connect()
        try:
            return await found(database)
        finally:
            await database.disconnect()

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            (f"UPDATE credentials SET issuer_id = '{NOBODY}'", "refer to issuers that are not there"),
            ("DELETE FROM achievement_versions", "refer to achievement_versions that are not there"),
            ("UPDATE credentials SET status = 'gone'", "are not as ck_credentials_status says"),
            ("UPDATE status_lists SET allocated = length + 1", "are not as ck_status_lists_allocated says"),
        ],
    )
    async def test_rows_that_were_changed_past_the_constraints(self, file: Path, statement: str, said: str) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute(statement)

        assert any(finding.code == "broken_rows" and said in finding.detail for finding in await self.found(file))

    async def test_rows_that_share_what_is_unique(self, file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("DROP INDEX uq_signing_keys_active")
            ((issuer_id,),) = connection.execute("SELECT id FROM issuers")
            for number in range(2):
                values = (f"{number}{NOBODY[1:]}", issuer_id)
                connection.execute(
                    "INSERT INTO signing_keys SELECT ?, organisation_id, ?, 'Ed25519', x'00', NULL, 'active', 0, NULL,"
                    " NULL FROM issuers",
                    values,
                )

        details = [finding.detail for finding in await self.found(file)]

        assert any("share their issuer_id, algorithm" in detail and issuer_id in detail for detail in details)

    async def test_a_table_that_is_not_strict(self, file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("DROP TABLE server_facts")
            connection.execute(
                "CREATE TABLE server_facts (name text NOT NULL, value blob NOT NULL,"
                " CONSTRAINT pk_server_facts PRIMARY KEY (name))"
            )

        (finding,) = await self.found(file)

        assert (finding.code, finding.about) == ("different_schema", "table server_facts")

    async def test_an_index_that_lacks_a_row(self, file: Path) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            whole = "CREATE INDEX ix_issuers_organisation_id_id ON issuers (organisation_id, id)"
            change = "UPDATE sqlite_schema SET sql = ? WHERE name = 'ix_issuers_organisation_id_id'"
            connection.execute(change, (f"{whole} WHERE false",))
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("REINDEX ix_issuers_organisation_id_id")
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(change, (whole,))

        findings = await self.found(file)

        assert {finding.code for finding in findings} == {"damaged_file"}
        assert any("missing from index ix_issuers_organisation_id_id" in finding.detail for finding in findings)
        assert all("REINDEX" in finding.hint for finding in findings)

    async def test_pages_that_were_overwritten(self, file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            ((size,),) = connection.execute("PRAGMA page_size")
            ((page,),) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'credentials'")
        with file.open("r+b") as pages:
            pages.seek((page - 1) * size)
            pages.write(b"\xa5" * size)

        codes = {finding.code for finding in await self.found(file)}

        assert codes & {"damaged_file", "database_corrupt"}


class TestPostgresql:
    @pytest.fixture
    async def database(self, postgres_dsn: str) -> AsyncIterator[Database]:
        async with opened("postgresql", DatabaseSettings(url=postgres_dsn)) as database:
            await with_a_credential(database)
            yield database

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            (f"UPDATE credentials SET issuer_id = '{NOBODY}'", "refer to issuers that are not there"),
            ("DELETE FROM achievement_versions", "refer to achievement_versions that are not there"),
        ],
    )
    async def test_rows_that_were_changed_past_the_constraints(
        self, database: Database, postgres_dsn: str, statement: str, said: str
    ) -> None:
        async with connection_to(postgres_dsn) as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(statement)

        details = [finding.detail for finding in await found(database) if finding.code == "broken_rows"]

        assert any(said in detail for detail in details)

    async def test_rows_older_than_their_constraint(self, database: Database, postgres_dsn: str) -> None:
        async with connection_to(postgres_dsn) as connection:
            check = "ADD CONSTRAINT ck_credentials_status CHECK (status IN ('active', 'suspended', 'revoked'))"
            await connection.execute("ALTER TABLE credentials DROP CONSTRAINT ck_credentials_status")
            await connection.execute("UPDATE credentials SET status = 'gone'")
            await connection.execute(f"ALTER TABLE credentials {check} NOT VALID")

        by_code = {finding.code: finding for finding in await found(database)}

        assert by_code.keys() == {"unvalidated_constraint", "broken_rows"}
        assert "are not as ck_credentials_status says" in by_code["broken_rows"].detail
        assert "VALIDATE CONSTRAINT ck_credentials_status" in by_code["unvalidated_constraint"].hint

    async def test_rows_that_share_what_is_unique_and_the_index_that_could_not_be_made(
        self, database: Database, postgres_dsn: str
    ) -> None:
        async with connection_to(postgres_dsn) as connection:
            await connection.execute("DROP INDEX uq_signing_keys_active")
            for number in range(2):
                await connection.execute(
                    "INSERT INTO signing_keys SELECT $1, organisation_id, id, 'Ed25519', '', NULL, 'active', now()"
                    " FROM issuers",
                    f"{number}{NOBODY[1:]}",
                )
            with pytest.raises(asyncpg.UniqueViolationError):
                await connection.execute(
                    "CREATE UNIQUE INDEX CONCURRENTLY uq_signing_keys_active ON signing_keys (issuer_id, algorithm)"
                    " WHERE state = 'active'"
                )

        by_code = {finding.code: finding for finding in await found(database)}

        assert by_code.keys() == {"invalid_index", "broken_rows"}
        assert "REINDEX INDEX uq_signing_keys_active" in by_code["invalid_index"].hint
        assert "share their issuer_id, algorithm" in by_code["broken_rows"].detail

    async def test_constraints_that_are_turned_off(self, database: Database, postgres_dsn: str) -> None:
        async with connection_to(postgres_dsn) as connection:
            await connection.execute("ALTER TABLE credentials DISABLE TRIGGER ALL")

        findings = await found(database)

        assert {finding.code for finding in findings} == {"disabled_constraint"}
        assert all("ENABLE TRIGGER ALL" in finding.hint for finding in findings)

    async def test_a_column_that_must_be_filled_and_is_not_ours(self, database: Database, postgres_dsn: str) -> None:
        async with connection_to(postgres_dsn) as connection:
            await connection.execute("ALTER TABLE server_facts ADD COLUMN mine text NOT NULL")
            await connection.execute("ALTER TABLE images ADD COLUMN mine text NOT NULL DEFAULT ''")

        codes = {finding.about: finding.code for finding in await found(database)}

        assert codes["column mine of server_facts"] == "obligatory_column"
        assert codes["column mine of images"] == "not_ours"

    async def test_the_tables_of_an_extension_are_nobodys_business(self, database: Database, postgres_dsn: str) -> None:
        async with connection_to(postgres_dsn) as connection:
            await connection.execute("CREATE TABLE of_extension (a int)")
            await connection.execute("CREATE EXTENSION amcheck")
            await connection.execute("ALTER EXTENSION amcheck ADD TABLE of_extension")

        assert await found(database) == []

    async def test_a_user_who_is_no_superuser_may_check(self, database: Database, postgres_dsn: str) -> None:
        async with connection_to(postgres_dsn) as connection:
            await connection.execute("CREATE EXTENSION amcheck")
            await connection.execute("DROP ROLE IF EXISTS lapel_checker")
            await connection.execute("CREATE ROLE lapel_checker LOGIN")
            await connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO lapel_checker")
            name = await connection.fetchval("SELECT current_user")
        try:
            url = postgres_dsn.replace(f"//{name}@", "//lapel_checker@")
            assert url != postgres_dsn
            limited = replace(database.settings, url=url)
            checking = PostgresqlDatabase(limited)
            await checking.connect()
            try:
                assert await found(checking) == []
            finally:
                await checking.disconnect()
        finally:
            async with connection_to(postgres_dsn) as connection:
                await connection.execute("DROP OWNED BY lapel_checker; DROP ROLE lapel_checker")

    async def test_an_index_whose_pages_are_damaged(self, stoppable_postgres: PostgresServer) -> None:
        dsn = stoppable_postgres.create_database()
        async with opened("postgresql", DatabaseSettings(url=dsn)) as database:
            await with_a_credential(database)
        async with connection_to(dsn) as connection:
            await connection.execute("CREATE EXTENSION amcheck")
            index = "current_setting('data_directory') || '/' || pg_relation_filepath('ix_credentials_issuer_id_id')"
            file = Path(await connection.fetchval(f"SELECT {index}"))
        stoppable_postgres.stop()
        with file.open("r+b") as pages:
            pages.seek(8192 + 4096)
            pages.write(b"\xa5" * 4096)
        stoppable_postgres.start()

        async with opened("postgresql", DatabaseSettings(url=dsn)) as database:
            findings = await found(database)

        assert ("damaged_index", "credentials") in {(finding.code, finding.about) for finding in findings}
        assert any("REINDEX INDEX ix_credentials_issuer_id_id" in finding.hint for finding in findings)


async def test_beside_a_writer_it_waits_for_nobody(database: Database) -> None:
    if database.pool_status().maximum == 1:
        return  # one connection, on which everything has its turn
    scene = await samples.set_scene(database)
    async with database.transaction() as tx:
        await tx.credentials.create(scene.credential(0))
        assert await asyncio.create_task(found(database)) == []
