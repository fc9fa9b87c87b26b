"""What `Database.check` finds on any database, with the damage really done."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lapel.database.append_only import append_only, own_triggers
from lapel.database.conformance import samples
from lapel.database.conformance.opening import connected
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.migrations.runner import STAMP
from lapel.database.schema.catalogue import Finding
from lapel.database.schema.comparison import declared
from lapel.domain.organisation import Organisation

__all__ = ["CheckRules"]

CHANGES = {
    "missing_in_schema: index ix_issuers_organisation_id_id of issuers": ["DROP INDEX ix_issuers_organisation_id_id"],
    "missing_in_schema: table api_keys": ["DROP TABLE api_keys"],
    "missing_in_schema: column revoked_at of api_keys": ["ALTER TABLE api_keys DROP COLUMN revoked_at"],
    "different_schema: column phone of issuers": [
        "ALTER TABLE issuers DROP COLUMN phone",
        "ALTER TABLE issuers ADD COLUMN phone integer",
    ],
    "different_schema: column media_type of images": [
        "ALTER TABLE images DROP COLUMN media_type",
        "ALTER TABLE images ADD COLUMN media_type text",
    ],
    "different_schema: index ix_achievements_issuer_id_id of achievements": [
        "DROP INDEX ix_achievements_issuer_id_id",
        "CREATE INDEX ix_achievements_issuer_id_id ON achievements (id, issuer_id)",
    ],
    "different_schema: index ix_issuers_organisation_id_id of issuers": [
        "DROP INDEX ix_issuers_organisation_id_id",
        "CREATE INDEX ix_issuers_organisation_id_id ON issuers (organisation_id, id DESC)",
    ],
    "different_schema: index ix_credentials_issuer_id_withdrawn of credentials": [
        "DROP INDEX ix_credentials_issuer_id_withdrawn",
        "CREATE INDEX ix_credentials_issuer_id_withdrawn ON credentials (issuer_id, id) WHERE status = 'suspended'",
    ],
    "different_schema: index uq_signing_keys_active of signing_keys": [
        "DROP INDEX uq_signing_keys_active",
        "CREATE INDEX uq_signing_keys_active ON signing_keys (issuer_id, algorithm) WHERE state = 'active'",
    ],
    "not_ours: table mine": ["CREATE TABLE mine (name text)"],
    "not_ours: column mine of issuers": ["ALTER TABLE issuers ADD COLUMN mine text"],
    "not_ours: index mine of issuers": ["CREATE INDEX mine ON issuers (name)"],
}
CONSTRAINTS = {
    "pk_api_keys": "primary key id of api_keys",
    "uq_api_keys_digest": "unique digest of api_keys",
    "fk_api_keys_organisation_id": "foreign key organisation_id of api_keys",
    "ck_api_keys_role": "check ck_api_keys_role of api_keys",
}


async def _found(database: Database) -> list[Finding]:
    return [finding async for finding in database.check()]


async def _run(database: Database, *statements: str) -> None:
    async with database.maintenance(alone=True) as session:
        for statement in statements:
            await session.run(statement)


class CheckRules:
    async def test_where_all_is_well_nothing_is_found(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create(scene.credential(0))
        steps: list[str] = []
        assert [finding async for finding in database.check(steps.append)] == []
        assert len(steps) > 40

    async def test_it_changes_nothing(self, database: Database) -> None:
        async with database.maintenance() as session:
            before = await database.catalogue.facts(session)
        await _found(database)
        async with database.maintenance() as session:
            assert await database.catalogue.facts(session) == before

    async def test_where_tables_are_still_to_be_made_nothing_else_is_said(
        self, database_settings: tuple[str, DatabaseSettings]
    ) -> None:
        async with connected(*database_settings) as database:
            assert [finding.code for finding in await _found(database)] == ["pending_migration"]

    @pytest.mark.parametrize("expected", CHANGES)
    async def test_a_change_of_the_schema_is_found(self, database: Database, expected: str) -> None:
        await _run(database, *CHANGES[expected])
        (finding,) = await _found(database)
        assert f"{finding.code}: {finding.about}" == expected
        assert finding.is_note == expected.startswith("not_ours")
        assert finding.about in finding.detail

    @pytest.mark.parametrize("name", CONSTRAINTS)
    async def test_a_missing_constraint_is_found(self, database: Database, name: str) -> None:
        (made,) = [found for found in declared(database.dialect) if found.startswith("CREATE TABLE api_keys ")]
        without, removed = re.subn(rf",\s*CONSTRAINT {name} [^\n]*?(?=,?\s*\n)", "", made)
        assert removed == 1
        await _run(database, "DROP TABLE api_keys", without)
        await _run(database, "CREATE INDEX ix_api_keys_organisation_id_id ON api_keys (organisation_id, id)")
        assert [finding.about for finding in await _found(database)] == [CONSTRAINTS[name]]

    async def test_a_trigger_that_keeps_the_audit_log_is_missed(self, database: Database) -> None:
        for statement in append_only(database.dialect):
            made = re.match(r"CREATE TRIGGER (\w+)", statement)
            if made is None:
                continue
            # Where a trigger says for each of what it is, one is dropped from its table.
            await _run(database, f"DROP TRIGGER {made[1]}{' ON audit_log' if 'FOR EACH' in statement else ''}")
            (finding,) = await _found(database)
            assert (finding.code, finding.about) == ("missing_trigger", f"trigger {made[1]} of audit_log")
            await _run(database, statement)
            assert await _found(database) == []

    @pytest.mark.parametrize("table", ["api_keys", "mine", STAMP])
    async def test_a_trigger_that_is_not_ours_is_no_note(self, database: Database, table: str) -> None:
        ours = own_triggers(database.dialect)
        if not ours:
            pytest.skip("whether there are triggers, only its own module can say")
        trigger = ours["audit_log_not_changed"].replace("audit_log_not_changed", "hostile")
        await _run(database, "CREATE TABLE mine (name text)", trigger.replace(" ON audit_log", f" ON {table}"))
        (finding,) = [found for found in await _found(database) if found.about != "table mine"]
        assert (finding.code, finding.about) == ("undeclared_trigger", f"trigger hostile of {table}")
        assert not finding.is_note

    async def test_what_it_says_about_an_index_mends_it(self, database: Database) -> None:
        await _run(database, "DROP INDEX ix_credentials_issuer_id_withdrawn")
        (finding,) = await _found(database)
        command = re.search(r"`(CREATE INDEX .*?);`", finding.hint, re.DOTALL)
        assert command
        await _run(database, command[1])
        assert await _found(database) == []

    async def test_rows_that_no_constraint_forbids_are_found(self, database: Database) -> None:
        mine, yours = await samples.set_scene(database), await samples.set_scene(database)
        other = Organisation(id=samples.new_id(), name="Others", created_at=samples.MOMENT)
        wrong = {
            "nothing that was signed": samples.credential(mine.issuer.id, signed=b""),
            "status list of another issuer": replace(yours.credential(0), issuer_id=mine.issuer.id),
            "a position without a list": replace(samples.credential(mine.issuer.id), status_index=5),
            "outside of their status list": mine.credential(mine.status_list.length),
            "another organisation than their issuer": replace(
                samples.credential(mine.issuer.id), organisation_id=other.id
            ),
        }
        async with database.transaction() as tx:
            await tx.organisations.create(other)
            await tx.credentials.create_many(list(wrong.values()))
        found = await _found(database)
        assert {finding.code for finding in found} == {"broken_rows"}
        assert len(found) == len(wrong)
        for what, credential in wrong.items():
            (finding,) = [finding for finding in found if what in finding.detail]
            assert str(credential.id) in finding.detail

    async def test_positions_and_versions_that_went_back_are_found(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create(scene.credential(0))
        await _run(database, "UPDATE status_lists SET allocated = 0", "UPDATE achievements SET version = 7")
        found = {finding.about: finding.detail for finding in await _found(database)}
        assert found.keys() == {"status_lists", "achievements"}
        assert str(scene.status_list.id) in found["status_lists"]
        assert str(scene.achievement.id) in found["achievements"]

    async def test_of_many_broken_rows_a_few_are_named(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create_many([samples.credential(scene.issuer.id, signed=b"") for _ in range(500)])
        (finding,) = await _found(database)
        assert finding.detail.endswith(" and more.")
        assert len(finding.detail) < 1_000
