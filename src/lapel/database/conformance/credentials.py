"""The repositories of credentials and status lists."""

# A transaction may raise its error only at the end of its block.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.errors import CheckViolation, ForeignKeyViolation, InvalidValue, RecordNotFound, UniqueViolation
from lapel.database.interface import Database
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.listing import CredentialFilter
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.status_list import StatusPurpose

__all__ = ["CredentialRules", "StatusListRules"]

ACTIVE, SUSPENDED, REVOKED = CredentialStatus.ACTIVE, CredentialStatus.SUSPENDED, CredentialStatus.REVOKED


class CredentialRules:
    async def test_one_that_was_created_is_found_as_it_was(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        full = replace(scene.credential(7), valid_until=samples.MOMENT, signed=b"\x00\xff{}")
        bare = samples.credential(scene.issuer.id)
        async with database.transaction() as tx:
            await tx.credentials.create(full)
            await tx.credentials.create(bare)
        read = database.read().credentials
        assert [await read.get(full.id), await read.find(bare.id)] == [full, bare]

    async def test_an_unknown_one_is_not_found(self, database: Database) -> None:
        assert await database.read().credentials.find(samples.new_id()) is None
        with pytest.raises(RecordNotFound):
            await database.read().credentials.get(samples.new_id())

    async def test_many_are_created_as_they_are(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        many = [scene.credential(index) for index in range(1_000)]
        async with database.transaction() as tx:
            await tx.credentials.create_many(many)
            await tx.credentials.create_many([])
            assert await tx.credentials.get(many[500].id) == many[500]
        assert [found async for found in database.read().credentials.stream(DEFAULT_ORGANISATION_ID)] == many

    async def test_credentials_are_found_by_issue_key_and_issue_keys_are_unique(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        keyed = [replace(scene.credential(index), issue_key=bytes([index, 0])) for index in range(70)]
        async with database.transaction() as tx:
            await tx.credentials.create_many([*keyed, scene.credential(70), scene.credential(71)])
            assert await tx.credentials.with_issue_keys([]) == []
        keys = [b"\x07\x00", b"\x07", b"\x07\x01", *(credential.issue_key or b"" for credential in keyed[60:])]
        found = await database.read().credentials.with_issue_keys(keys * 9)
        assert {credential.id for credential in found} == {keyed[7].id, *(credential.id for credential in keyed[60:])}
        assert keyed[7] in found
        with pytest.raises(UniqueViolation):
            async with database.transaction() as tx:
                await tx.credentials.create(replace(scene.credential(72), issue_key=b"\x07\x00"))

    async def test_many_are_found_by_their_ids(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        many = [scene.credential(index) for index in range(70)]
        async with database.transaction() as tx:
            await tx.credentials.create_many(many)
        asked = [samples.new_id(), *(credential.id for credential in many[1:])]
        found = await database.read().credentials.find_many(asked)
        assert sorted(credential.id for credential in found) == asked[1:]

    async def test_many_are_created_all_or_none(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        many = [scene.credential(index) for index in range(50)]
        many.append(replace(scene.credential(50), status_position=49))
        with pytest.raises(UniqueViolation) as caught:
            async with database.transaction() as tx:
                await tx.credentials.create_many(many)
        assert caught.value.context is not None
        assert caught.value.context.operation == "credentials.create_many"
        assert [found async for found in database.read().credentials.stream(DEFAULT_ORGANISATION_ID)] == []

    async def test_pages_can_be_of_one_issuer_and_one_achievement(self, database: Database) -> None:
        mine, yours = await samples.set_scene(database), await samples.set_scene(database)
        other = samples.achievement(mine.issuer.id)
        a, b, c = mine.credential(0), yours.credential(0), mine.credential(1)
        d = replace(mine.credential(2), achievement_id=other.id)
        async with database.transaction() as tx:
            await tx.achievements.create(other)
            await tx.credentials.create_many([a, b, c, d])
        read, organisation = database.read().credentials, DEFAULT_ORGANISATION_ID
        assert await read.page(organisation, before=None, limit=9) == [d, c, b, a]
        assert await read.page(organisation, before=c.id, limit=1) == [b]
        assert await read.page(organisation, CredentialFilter(issuer_id=mine.issuer.id), before=None, limit=9) == [
            d,
            c,
            a,
        ]
        assert await read.page(organisation, CredentialFilter(achievement_id=other.id), before=None, limit=9) == [d]
        mine_only = CredentialFilter(issuer_id=mine.issuer.id, achievement_id=mine.achievement.id)
        both = await read.page(organisation, mine_only, before=None, limit=9)
        assert both == [c, a]
        assert await read.page(samples.new_id(), before=None, limit=9) == []

    async def test_a_change_of_status_is_stored_and_advances_its_list(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        credential = scene.credential(3)
        async with database.transaction() as tx:
            await tx.credentials.create(credential)
            (changed,) = await samples.change(tx, credential, status=SUSPENDED, reason="asked")
        assert changed == replace(credential, status=SUSPENDED, status_reason="asked", status_changed_at=samples.MOMENT)
        read = database.read()
        assert await read.credentials.get(credential.id) == changed
        after = await read.status_lists.find(scene.status_list.id)
        assert after is not None
        assert after.version == scene.status_list.version + 1

    async def test_a_suspension_can_be_lifted_and_a_revocation_cannot(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        credential = scene.credential(3)
        async with database.transaction() as tx:
            await tx.credentials.create(credential)
            for status in (SUSPENDED, ACTIVE, REVOKED):
                (changed,) = await samples.change(tx, credential, status=status)
        async with database.transaction() as tx:
            before = await tx.status_lists.find(scene.status_list.id)
            for status in (SUSPENDED, ACTIVE, REVOKED):
                assert await samples.change(tx, credential, status=status, reason="again") == []
            assert await tx.status_lists.find(scene.status_list.id) == before
            assert await tx.credentials.get(credential.id) == changed

    async def test_of_many_the_existing_and_unrevoked_ones_are_changed(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        credentials = [scene.credential(index) for index in range(150)]
        async with database.transaction() as tx:
            await tx.credentials.create_many(credentials)
            await samples.change(tx, credentials[7], status=REVOKED)
            unknown = samples.credential(samples.new_id())
            changed = await samples.change(tx, *credentials, unknown, status=SUSPENDED)
        assert sorted(one.id for one in changed) == sorted(one.id for one in credentials if one is not credentials[7])
        assert {one.status for one in changed} == {SUSPENDED}

    async def test_what_is_locked_is_as_it_is_found(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        credentials = [scene.credential(index) for index in range(70)]
        async with database.transaction() as tx:
            await tx.credentials.create_many(credentials)
        async with database.transaction() as tx:
            ids = [one.id for one in credentials]
            assert sorted(await tx.credentials.find_many([*ids, samples.new_id()], lock=True), key=_id) == credentials

    async def test_set_indices_are_those_with_that_status_in_order(self, database: Database) -> None:
        scene, elsewhere = await samples.set_scene(database), await samples.set_scene(database)
        mine = [scene.credential(index) for index in (9, 2, 5, 7)]
        other = elsewhere.credential(1)
        async with database.transaction() as tx:
            await tx.credentials.create_many([*mine, other])
            for credential in (mine[0], mine[1], other):
                await samples.change(tx, credential, status=REVOKED, reason="r")
            await samples.change(tx, mine[2], status=SUSPENDED)
        read = database.read().credentials
        assert [index async for index in read.set_indices(scene.status_list.id, status="revoked")] == [2, 9]
        assert [index async for index in read.set_indices(scene.status_list.id, status="suspended")] == [5]

    async def test_what_an_issuer_has_withdrawn_comes_in_pages(self, database: Database) -> None:
        scene, elsewhere = await samples.set_scene(database), await samples.set_scene(database)
        mine = [scene.credential(index) for index in range(5)]
        other = elsewhere.credential(1)
        async with database.transaction() as tx:
            await tx.credentials.create_many([*mine, other])
            for credential in (mine[0], mine[1], other):
                await samples.change(tx, credential, status=REVOKED, reason="r")
            for credential, status in ((mine[2], SUSPENDED), (mine[3], SUSPENDED), (mine[3], ACTIVE)):
                await samples.change(tx, credential, status=status)
        read, issuer = database.read().credentials, scene.issuer.id
        first = await read.withdrawn(issuer, before=None, limit=2)
        assert first == [(mine[2].id, SUSPENDED, None), (mine[1].id, REVOKED, "r")]
        assert await read.withdrawn(issuer, before=mine[1].id, limit=2) == [(mine[0].id, REVOKED, "r")]
        assert await read.withdrawn(issuer, before=mine[0].id, limit=2) == []

    async def test_an_index_of_a_list_is_used_once(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        with pytest.raises(UniqueViolation):
            async with database.transaction() as tx:
                await tx.credentials.create(scene.credential(1))
                await tx.credentials.create(scene.credential(1))

    async def test_its_achievement_must_have_that_version(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        with pytest.raises(ForeignKeyViolation):
            async with database.transaction() as tx:
                await tx.credentials.create(replace(scene.credential(1), achievement_version=2))

    async def test_its_status_must_be_one_of_three(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        wrong = replace(scene.credential(1), status="gone")  # deliberately wrong
        with pytest.raises(CheckViolation) as caught:
            async with database.transaction() as tx:
                await tx.credentials.create(wrong)
        assert caught.value.context is not None
        assert caught.value.context.entity_id == str(wrong.id)
        if database.capabilities.names_constraints:
            assert caught.value.constraint == "ck_credentials_status"


class StatusListRules:
    async def test_the_first_reservation_makes_the_list(self, database: Database) -> None:
        issuer = samples.issuer()
        new = samples.status_list(issuer.id)
        suspending = replace(samples.status_list(issuer.id), purpose=StatusPurpose.SUSPENSION)
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            reserved = await tx.status_lists.reserve(new, count=5)
            other = await tx.status_lists.reserve(suspending, count=2)
        assert (reserved.first, reserved.count) == (0, 5)
        read = database.read().status_lists
        assert await read.find(new.id) == replace(new, allocated=5) == reserved.status_list
        assert await read.find(suspending.id) == replace(suspending, allocated=2) == other.status_list
        assert await read.find(samples.new_id()) is None

    async def test_a_full_list_is_followed_by_a_new_shard(self, database: Database) -> None:
        issuer = samples.issuer()
        taken = []
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            for _ in range(4):
                reserved = await tx.status_lists.reserve(samples.status_list(issuer.id, length=10), count=6)
                taken.append((reserved.status_list.id, reserved.first, reserved.count))
        ids = [found for found, _, _ in taken]
        assert ids[0] == ids[1] != ids[2] == ids[3]
        assert [(first, count) for _, first, count in taken] == [(0, 6), (6, 4), (0, 6), (6, 4)]

    async def test_a_list_with_room_is_used_even_if_its_id_is_older(self, database: Database) -> None:
        issuer = samples.issuer()
        older, newer, spare = (samples.status_list(issuer.id, length=2) for _ in range(3))
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            await tx.status_lists.reserve(newer, count=2)
            await tx.status_lists.reserve(older, count=1)
            reserved = await tx.status_lists.reserve(spare, count=1)
        assert (reserved.status_list.id, reserved.first) == (older.id, 1)

    async def test_no_position_is_given_twice_however_many_ask_at_once(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)

        async def reserve() -> list[tuple[object, int]]:
            async with database.transaction() as tx:
                reserved = await tx.status_lists.reserve(samples.status_list(issuer.id, length=20), count=3)
            return [(reserved.status_list.id, reserved.first + offset) for offset in range(reserved.count)]

        given = [position for taken in await asyncio.gather(*(reserve() for _ in range(30))) for position in taken]
        assert len(given) == len(set(given)) > 60
        lists = {list_id for list_id, _ in given}
        assert len(lists) == -(-len(given) // 20), "a new shard is made only when the last is full"

    async def test_at_least_one_position_must_be_reserved(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        for count in (0, -3):
            with pytest.raises(InvalidValue):
                async with database.transaction() as tx:
                    await tx.status_lists.reserve(samples.status_list(scene.issuer.id), count=count)

    async def test_its_issuer_must_be_there(self, database: Database) -> None:
        with pytest.raises(ForeignKeyViolation):
            async with database.transaction() as tx:
                await tx.status_lists.reserve(samples.status_list(samples.new_id()), count=1)


def _id(credential: Credential) -> UUID:
    return credential.id
