"""Schema catalogues and the detection of broken rows, which ``lapel db check`` is built on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from lapel.database.append_only import missing_triggers, own_triggers
from lapel.database.conformance import samples
from lapel.database.interface import Database
from lapel.database.migrations.runner import STAMP
from lapel.database.schema.catalogue import ACTING, declared
from lapel.database.schema.invariants import invariants
from lapel.database.session import TransactionSession
from lapel.domain.organisation import Organisation

__all__ = ["CHANGES", "CONSTRAINTS", "CatalogueRules", "broken_rows", "without_constraint", "wrong_rows"]

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


def without_constraint(database: Database, name: str) -> list[str]:
    """Return the statements that recreate the table of `CONSTRAINTS` without this one."""
    (original,) = [each for each in declared(database.dialect) if each.startswith("CREATE TABLE api_keys ")]
    without, removed = re.subn(rf",\s*CONSTRAINT {name} [^\n]*?(?=,?\s*\n)", "", original)
    assert removed == 1
    return [
        "DROP TABLE api_keys",
        without,
        "CREATE INDEX ix_api_keys_organisation_id_id ON api_keys (organisation_id, id)",
    ]


async def wrong_rows(database: Database) -> Mapping[str, str]:
    """Store rows that break invariants without a constraint. Returns the description of each, and the row's id."""
    scene, second_scene = await samples.set_scene(database), await samples.set_scene(database)
    issuer_id = scene.issuer.id
    organisation = Organisation(id=samples.new_id(), name="Others", created_at=samples.MOMENT)
    wrong = {
        "nothing that was signed": samples.credential(issuer_id, signed=b""),
        "status list of another issuer": replace(second_scene.credential(0), issuer_id=issuer_id),
        "a position without a list": replace(samples.credential(issuer_id), status_index=5),
        "outside of their status list": scene.credential(scene.status_list.length),
        "another organisation than their issuer": replace(
            samples.credential(issuer_id), organisation_id=organisation.id
        ),
    }
    async with database.transaction() as tx:
        await tx.organisations.create(organisation)
        await tx.credentials.create_many(list(wrong.values()))
    return {description: str(credential.id) for description, credential in wrong.items()}


async def broken_rows(database: Database) -> Mapping[str, Sequence[str]]:
    """Return the broken invariants, and the keys of the rows that break them."""
    async with database.maintenance() as session:
        results = {str(each): await session.run(each.sql(database.dialect)) for each in invariants()}
    return {invariant: [" ".join(map(str, row)) for row in rows] for invariant, rows in results.items() if rows}


async def _definitions(database: Database, session: TransactionSession) -> Mapping[str, str]:
    return {str(fact): fact.definition for fact in await database.catalogue.facts(session)}


async def _declared_definitions(database: Database) -> Mapping[str, str]:
    return {str(fact): fact.definition for fact in await database.catalogue.facts_of(declared(database.dialect))}


class CatalogueRules:
    async def test_the_actual_schema_is_described_like_the_declared_one(self, database: Database) -> None:
        async with database.maintenance() as session:
            live = await database.catalogue.facts(session)
            assert {fact.table for fact in live} == await database.catalogue.tables(session)
        own = {fact for fact in live if fact.table != STAMP and fact.kind not in ACTING}
        assert own == await database.catalogue.facts_of(declared(database.dialect))

    async def test_an_undamaged_database_has_no_findings_and_checking_changes_nothing(self, database: Database) -> None:
        async with database.maintenance() as session:
            before = await database.catalogue.facts(session)
            assert [finding async for finding in database.catalogue.damage(session)] == []
        await database.catalogue.facts_of(declared(database.dialect))
        async with database.maintenance() as session:
            assert await database.catalogue.facts(session) == before

    async def test_every_change_of_the_schema_is_reported(self, database: Database) -> None:
        expected = await _declared_definitions(database)
        async with database.maintenance(writes=True) as session:
            for change, statements in CHANGES.items():
                await session.command("SAVEPOINT change")
                for statement in statements:
                    await session.run(statement)
                kind, _, what = change.partition(": ")
                live = await _definitions(database, session)
                assert (what in live, what in expected) == (kind != "missing_in_schema", kind != "not_ours"), change
                assert live.get(what) != expected.get(what), change
                await session.command("ROLLBACK TO SAVEPOINT change")

    async def test_a_missing_constraint_is_reported(self, database: Database) -> None:
        expected = await _declared_definitions(database)
        async with database.maintenance(writes=True) as session:
            for name, what in CONSTRAINTS.items():
                await session.command("SAVEPOINT change")
                for statement in without_constraint(database, name):
                    await session.run(statement)
                assert what in expected
                assert what not in await _definitions(database, session)
                await session.command("ROLLBACK TO SAVEPOINT change")

    async def test_a_missing_trigger_of_the_audit_log_is_reported(self, database: Database) -> None:
        triggers = own_triggers(database.dialect)
        async with database.maintenance(writes=True) as session:
            assert await missing_triggers(session, database.dialect) == {}
            for name, statement in triggers.items():
                await session.command("SAVEPOINT change")
                # Some dialects need the trigger's table to drop it.
                await session.run(f"DROP TRIGGER {name}{' ON audit_log' if 'FOR EACH' in statement else ''}")
                assert await missing_triggers(session, database.dialect) == {name: statement}
                await session.command("ROLLBACK TO SAVEPOINT change")

    @pytest.mark.parametrize("table", ["api_keys", "mine", STAMP])
    async def test_a_foreign_trigger_is_reported(self, database: Database, table: str) -> None:
        triggers = own_triggers(database.dialect)
        if not triggers:
            pytest.skip("whether there are triggers, only its own module can say")
        trigger = triggers["audit_log_not_changed"].replace("audit_log_not_changed", "hostile")
        async with database.maintenance(writes=True) as session:
            await session.run("CREATE TABLE mine (name text)")
            await session.run(trigger.replace(" ON audit_log", f" ON {table}"))
            assert f"trigger hostile of {table}" in await _definitions(database, session)

    async def test_no_sound_row_is_reported(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create(scene.credential(0))
        assert await broken_rows(database) == {}

    async def test_rows_that_no_constraint_forbids_are_found(self, database: Database) -> None:
        wrong = await wrong_rows(database)
        found = await broken_rows(database)
        assert len(found) == len(wrong)
        for what, key in wrong.items():
            assert [keys for about, keys in found.items() if what in about] == [[key]]

    async def test_positions_and_versions_that_went_back_are_found(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create(scene.credential(0))
        async with database.maintenance(writes=True) as session:
            for statement in ("UPDATE status_lists SET allocated = 0", "UPDATE achievements SET version = 7"):
                await session.run(statement)
        found = {about.partition(":")[0]: keys for about, keys in (await broken_rows(database)).items()}
        assert found == {"status_lists": [str(scene.status_list.id)], "achievements": [str(scene.achievement.id)]}
