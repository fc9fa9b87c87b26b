"""The audit log only grows, except for recorded pruning; erased credentials keep only their position."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from msgspec.structs import replace

from lapel.database.append_only import append_only
from lapel.database.conformance import samples
from lapel.database.errors import ConstraintViolation
from lapel.database.interface import Database
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.credential import CredentialErased, CredentialStatus
from lapel.domain.identifiers import LAST_ID
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Conflict

__all__ = ["AuditLogRules", "ErasureRules"]

_ACTORS = ("command-line", "token:ada")
_ACTIONS = (Action.ISSUER_CHANGED, Action.CREDENTIAL_REVOKED)


async def _fill(database: Database, count: int = 40) -> list[AuditEntry]:
    """Record entries and return them, oldest first."""
    entity_ids = (samples.new_id(), samples.new_id(), None)
    entries = [
        samples.audit_entry(actor=_ACTORS[nth % 2], action=_ACTIONS[nth // 2 % 2], entity_id=entity_ids[nth % 3])
        for nth in range(count)
    ]
    async with database.transaction() as tx:
        await tx.audit_log.record(entries[0])
        await tx.audit_log.record_many(entries[1:])
    return entries


async def _all(database: Database) -> list[AuditEntry]:
    return await database.read().audit_log.page(DEFAULT_ORGANISATION_ID, before=None, limit=1_000)


async def _prune(database: Database, *, before: UUID, limit: int = 1_000) -> int:
    async with database.transaction() as tx:
        return await tx.audit_log.prune(DEFAULT_ORGANISATION_ID, before=before, limit=limit)


async def _record_pruning(database: Database, before: UUID) -> AuditEntry:
    pruning = samples.audit_entry(action=Action.AUDIT_LOG_PRUNED, entity_id=before)
    async with database.transaction() as tx:
        await tx.audit_log.record(pruning)
    return pruning


async def _run(database: Database, statement: str) -> None:
    async with database.maintenance(writes=True) as session:
        await session.run(statement)


class AuditLogRules:
    async def test_entries_come_back_newest_first_as_they_were_recorded(self, database: Database) -> None:
        entries = await _fill(database)
        assert await _all(database) == entries[::-1]
        assert await database.read().audit_log.find(entries[3].id) == entries[3]
        assert await database.read().audit_log.find(samples.new_id()) is None

    async def test_none_at_all_are_recorded_together(self, database: Database) -> None:
        async with database.transaction() as tx:
            await tx.audit_log.record_many([])
        assert await _all(database) == []

    async def test_every_way_to_narrow_the_log_gives_each_entry_once(self, database: Database) -> None:
        entries = await _fill(database)
        read = database.read().audit_log
        thing, since, until = entries[0].entity_id, entries[5].id, entries[30].id
        for actor, action, entity, early, late in product((False, True), repeat=5):
            wanted = [
                entry
                for entry in entries[::-1]
                if (not actor or entry.actor == _ACTORS[0])
                and (not action or entry.action is _ACTIONS[0])
                and (not entity or entry.entity_id == thing)
                and (not early or entry.id >= since)
                and (not late or entry.id < until)
            ]
            found: list[AuditEntry] = []
            before = until if late else None
            while page := await read.page(
                DEFAULT_ORGANISATION_ID,
                actor=_ACTORS[0] if actor else None,
                action=_ACTIONS[0] if action else None,
                entity_id=thing if entity else None,
                since=since if early else None,
                before=before,
                limit=3,
            ):
                found += page
                before = page[-1].id
            assert wanted
            assert found == wanted

    async def test_an_organisation_sees_only_its_own_entries(self, database: Database) -> None:
        await _fill(database, 3)
        assert await database.read().audit_log.page(samples.new_id(), before=None, limit=10) == []

    async def test_entries_cannot_be_pruned_without_a_recorded_pruning(self, database: Database) -> None:
        entries = await _fill(database, 10)
        with pytest.raises(Conflict):
            await _prune(database, before=LAST_ID)
        pruning = await _record_pruning(database, entries[4].id)
        with pytest.raises(Conflict):
            await _prune(database, before=entries[5].id)
        assert await _all(database) == [pruning, *entries[::-1]]

    async def test_the_oldest_entries_are_pruned_first(self, database: Database) -> None:
        entries = await _fill(database, 10)
        pruning = await _record_pruning(database, entries[4].id)
        assert await _prune(database, before=entries[4].id, limit=3) == 3
        assert await _all(database) == [pruning, *entries[:2:-1]]
        assert await _prune(database, before=entries[4].id) == 1
        assert await _prune(database, before=entries[4].id) == 0
        assert await _all(database) == [pruning, *entries[:3:-1]]

    async def test_records_of_prunings_are_not_pruned(self, database: Database) -> None:
        entries = await _fill(database, 3)
        pruning = [await _record_pruning(database, entries[2].id), await _record_pruning(database, LAST_ID)]
        assert await _prune(database, before=LAST_ID, limit=2) == 2
        assert await _all(database) == [*pruning[::-1], entries[2]]
        if "DELETE" in str(append_only(database.dialect)):
            with pytest.raises(ConstraintViolation):
                await _run(database, "DELETE FROM audit_log")

    async def test_records_of_prunings_are_not_pruned_by_later_ones(self, database: Database) -> None:
        entries = await _fill(database, 3)
        first = await _record_pruning(database, entries[2].id)
        assert await _prune(database, before=entries[2].id) == 2
        until = samples.new_id()
        second = await _record_pruning(database, until)
        assert await _prune(database, before=until) == 1
        assert await _all(database) == [second, first]

    async def test_the_database_itself_refuses_unrecorded_changes(self, database: Database) -> None:
        entries = await _fill(database, 10)
        pruning = await _record_pruning(database, entries[4].id)
        triggers = str(append_only(database.dialect))  # other databases may have none, or no TRUNCATE
        deeds = {
            "UPDATE": "UPDATE audit_log SET actor = 'nobody'",
            "DELETE": "DELETE FROM audit_log",
            "TRUNCATE": "TRUNCATE audit_log",
            "BEFORE INSERT": "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log",
        }
        for word, statement in deeds.items():
            if word in triggers:
                with pytest.raises(ConstraintViolation):
                    await _run(database, statement)
        assert await _all(database) == [pruning, *entries[::-1]]


async def _indices(database: Database, scene: samples.Scene) -> list[int]:
    found = database.read().credentials.set_indices(scene.status_list.id, status="revoked")
    return [index async for index in found]


class ErasureRules:
    async def test_what_is_erased_is_empty_and_revoked_and_keeps_its_position(self, database: Database) -> None:
        scene, at = await samples.set_scene(database), samples.MOMENT + timedelta(days=1)
        one, other = scene.credential(0), replace(scene.credential(1), recipient_lookup=b"\x01" * 32)
        async with database.transaction() as tx:
            await tx.credentials.create_many([one, other])
        before = await database.read().status_lists.find(scene.status_list.id)
        async with database.transaction() as tx:
            (erased,) = await tx.credentials.erase({one.id: b"kept"}, at=at)
        assert erased == replace(
            one,
            signed=b"",
            recipient_lookup=b"",
            status=CredentialStatus.REVOKED,
            status_reason=None,
            status_changed_at=at,
            erased_at=at,
            issue_key=b"kept",
        )
        read = database.read()
        assert await read.credentials.find(one.id) == erased
        assert await read.credentials.get(other.id) == other
        assert await _indices(database, scene) == [one.status_index]
        after = await read.status_lists.find(scene.status_list.id)
        assert before is not None
        assert after is not None
        assert (after.version, after.allocated) == (before.version + 1, before.allocated)

    async def test_it_is_found_by_its_id_alone(self, database: Database) -> None:
        one, again = (await samples.set_scene(database)).credential(0), samples.MOMENT

        async def of_recipient(lookup: bytes) -> list[UUID]:
            found = await database.read().credentials.ids_of_recipient(DEFAULT_ORGANISATION_ID, lookup, limit=10)
            return list(found)

        async with database.transaction() as tx:
            await tx.credentials.create(one)
        assert await of_recipient(one.recipient_lookup) == [one.id]
        await _erase(database, one.id, again)
        assert await of_recipient(one.recipient_lookup) == []

    async def test_an_erased_credential_cannot_be_changed_or_erased_again(self, database: Database) -> None:
        one = (await samples.set_scene(database)).credential(0)
        async with database.transaction() as tx:
            await tx.credentials.create(one)
        assert await _erase(database, one.id, samples.MOMENT)
        assert not await _erase(database, one.id, samples.MOMENT)
        assert not await _erase(database, samples.new_id(), samples.MOMENT)
        assert not await database.run(lambda tx: samples.change(tx, one, status=CredentialStatus.ACTIVE))
        deeds: list[Callable[[], Awaitable[object]]] = [
            lambda: database.read().credentials.get(one.id),
            lambda: database.run(
                lambda tx: tx.credentials.replace(one.id, samples.new_id(), reason="x", changed_at=samples.MOMENT)
            ),
        ]
        for deed in deeds:
            with pytest.raises(CredentialErased):
                await deed()


async def _erase(database: Database, credential_id: UUID, at: datetime) -> bool:
    async with database.transaction() as tx:
        return bool(await tx.credentials.erase({credential_id: None}, at=at))
