"""The repositories of signing keys, API keys, images, idempotent requests and server facts."""

# A transaction may raise its error only at the end of its block.

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.errors import RecordNotFound, UniqueViolation
from lapel.database.interface import Database
from lapel.domain.idempotency import DoneBefore
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID, Organisation
from lapel.domain.signing_key import KeyAlgorithm, KeyState

__all__ = ["ApiKeyRules", "IdempotentRequestRules", "ImageRules", "ServerFactRules", "SigningKeyRules"]


class SigningKeyRules:
    async def test_the_first_active_key_stays(self, database: Database) -> None:
        issuer_id = (await samples.set_scene(database)).issuer.id
        first, second = samples.signing_key(issuer_id), samples.signing_key(issuer_id)
        async with database.transaction() as tx:
            assert await tx.signing_keys.create_if_none_active(first) == first
        async with database.transaction() as tx:
            assert await tx.signing_keys.create_if_none_active(second) == first
        read = database.read().signing_keys
        assert await read.find_active(issuer_id, KeyAlgorithm.ED25519) == first
        assert await read.find_active(issuer_id, KeyAlgorithm.P256) is None
        assert [await read.find(first.id), await read.find(second.id)] == [first, None]

    async def test_an_inactive_key_does_not_prevent_an_active_one(self, database: Database) -> None:
        issuer_id = (await samples.set_scene(database)).issuer.id
        old = replace(
            samples.signing_key(issuer_id, state=KeyState.RETIRED),
            private_key_encrypted=None,
            retired_at=samples.MOMENT,
            compromised_at=samples.MOMENT,
        )
        new = samples.signing_key(issuer_id)
        other = replace(samples.signing_key(issuer_id), algorithm=KeyAlgorithm.P256)
        async with database.transaction() as tx:
            for key in (other, old, new):
                assert await tx.signing_keys.create_if_none_active(key) == key
        assert await database.read().signing_keys.of_issuer(issuer_id) == [old, new, other]

    async def test_a_key_is_retired_and_another_takes_its_place(self, database: Database) -> None:
        issuer_id = (await samples.set_scene(database)).issuer.id
        old, new = samples.signing_key(issuer_id), samples.signing_key(issuer_id)
        leaked = replace(old.compromised(since=samples.MOMENT, at=samples.MOMENT), private_key_encrypted=b"resealed")
        async with database.transaction() as tx:
            await tx.signing_keys.create_if_none_active(old)
            await tx.signing_keys.update(leaked)
            assert await tx.signing_keys.create_if_none_active(new) == new
        read = database.read().signing_keys
        assert await read.of_issuer(issuer_id) == [leaked, new]
        assert await read.page(before=None, limit=1) == [new]
        assert (await read.page(before=new.id, limit=1)) == [leaked]
        with pytest.raises(RecordNotFound):
            async with database.transaction() as tx:
                await tx.signing_keys.update(samples.signing_key(issuer_id))

    async def test_the_newest_are_of_one_organisation_however_many_others_there_are(self, database: Database) -> None:
        issuer_id = (await samples.set_scene(database)).issuer.id
        stranger = Organisation(id=samples.new_id(), name="Others", created_at=samples.MOMENT)
        others = replace(samples.issuer(), organisation_id=stranger.id)
        own = [
            replace(samples.signing_key(issuer_id), algorithm=algorithm)
            for algorithm in (KeyAlgorithm.ED25519, KeyAlgorithm.P256)
        ]
        foreign = [
            replace(samples.signing_key(others.id, state=KeyState.RETIRED), organisation_id=stranger.id)
            for _ in range(3)
        ]
        async with database.transaction() as tx:
            await tx.organisations.create(stranger)
            await tx.issuers.create(others)
            for key in (*own, *foreign):
                await tx.signing_keys.create_if_none_active(key)
        read = database.read().signing_keys
        assert await read.newest(DEFAULT_ORGANISATION_ID, limit=2) == own[::-1]
        assert await read.newest(DEFAULT_ORGANISATION_ID, limit=1) == own[1:]
        assert await read.newest(stranger.id, limit=9) == foreign[::-1]

    async def test_of_many_concurrent_ones_one_is_stored(self, database: Database) -> None:
        issuer_id = (await samples.set_scene(database)).issuer.id

        async def ensure() -> object:
            async with database.transaction() as tx:
                return await tx.signing_keys.create_if_none_active(samples.signing_key(issuer_id))

        assert len({repr(key) for key in await asyncio.gather(*(ensure() for _ in range(12)))}) == 1


class ApiKeyRules:
    async def test_one_is_found_by_its_digest(self, database: Database) -> None:
        assert not await database.read().api_keys.any_exists()
        key = replace(samples.api_key(), expires_at=samples.MOMENT)
        async with database.transaction() as tx:
            await tx.api_keys.create(key)
        read = database.read().api_keys
        assert await read.find_by_digest(key.digest) == key
        assert await read.find(key.id) == key
        assert await read.find(samples.new_id()) is None
        assert await read.find_by_digest(b"unknown") is None
        assert await read.any_exists()

    async def test_the_first_with_a_digest_stays(self, database: Database) -> None:
        first, second = samples.api_key("secret"), samples.api_key("secret")
        async with database.transaction() as tx:
            assert await tx.api_keys.create_if_absent(first) == first
            assert await tx.api_keys.create_if_absent(second) == first
        with pytest.raises(UniqueViolation):
            async with database.transaction() as tx:
                await tx.api_keys.create(second)
        with pytest.raises(UniqueViolation):
            async with database.transaction() as tx:
                await tx.api_keys.create_if_absent(replace(samples.api_key(), id=first.id))

    async def test_a_revocation_keeps_its_first_time(self, database: Database) -> None:
        key = samples.api_key()
        async with database.transaction() as tx:
            await tx.api_keys.create(key)
            revoked = await tx.api_keys.revoke(key.id, at=samples.MOMENT)
            again = await tx.api_keys.revoke(key.id, at=samples.MOMENT + timedelta(days=1))
        assert revoked == again == replace(key, revoked_at=samples.MOMENT)
        with pytest.raises(RecordNotFound):
            async with database.transaction() as tx:
                await tx.api_keys.revoke(samples.new_id(), at=samples.MOMENT)

    async def test_pages_are_newest_first(self, database: Database) -> None:
        keys = [samples.api_key() for _ in range(3)]
        async with database.transaction() as tx:
            for key in keys:
                await tx.api_keys.create(key)
        read = database.read().api_keys
        assert await read.page(DEFAULT_ORGANISATION_ID, before=None, limit=2) == [keys[2], keys[1]]
        assert await read.page(DEFAULT_ORGANISATION_ID, before=keys[1].id, limit=2) == [keys[0]]


class ImageRules:
    async def test_equal_content_is_stored_once(self, database: Database) -> None:
        first, second, other = samples.image(), samples.image(), samples.image(bytes(range(256)) * 4_096)
        async with database.transaction() as tx:
            assert await tx.images.create_if_absent(first) == first
            assert await tx.images.create_if_absent(other) == other
        async with database.transaction() as tx:
            assert await tx.images.create_if_absent(second) == first
        read = database.read().images
        assert [await read.get(first.id), await read.find(other.id)] == [first, other]
        assert await read.find(second.id) is None
        with pytest.raises(RecordNotFound):
            await read.get(second.id)


class ServerFactRules:
    async def test_the_first_value_stays(self, database: Database) -> None:
        async with database.transaction() as tx:
            assert await tx.server_facts.find("check") is None
            assert await tx.server_facts.put_if_absent("check", b"\x00first") == b"\x00first"
        async with database.transaction() as tx:
            assert await tx.server_facts.put_if_absent("check", b"second") == b"\x00first"
        assert await database.read().server_facts.find("check") == b"\x00first"

    async def test_a_value_can_be_replaced_where_there_is_one(self, database: Database) -> None:
        async with database.transaction() as tx:
            await tx.server_facts.put_if_absent("check", b"first")
            await tx.server_facts.replace("check", b"second")
        assert await database.read().server_facts.find("check") == b"second"
        with pytest.raises(RecordNotFound):
            async with database.transaction() as tx:
                await tx.server_facts.replace("other", b"value")


class IdempotentRequestRules:
    async def test_a_request_is_stored_once_with_its_outcome(self, database: Database) -> None:
        request = samples.idempotent_request().with_outcome(
            samples.new_id(), {"detail": "no", "errors": [["/1", "no", "bad"]]}
        )
        async with database.transaction() as tx:
            await tx.idempotent_requests.create(request)
        read = database.read().idempotent_requests
        assert await read.find_many([samples.new_id() for _ in range(40)]) == []
        assert await read.find_many([*(samples.new_id() for _ in range(40)), request.id]) == [request]
        for again in (replace(request, fingerprint=b"other"), request):
            with pytest.raises(DoneBefore):
                async with database.transaction() as tx:
                    await tx.idempotent_requests.create(again)
        with pytest.raises(UniqueViolation):
            async with database.transaction() as tx:
                await tx.idempotent_requests.create_many([samples.idempotent_request(), request])
        assert await read.find_many([request.id]) == [request]

    async def test_of_many_at_once_one_is_done(self, database: Database) -> None:
        request = samples.idempotent_request()

        async def do() -> None:
            async with database.transaction() as tx:
                await tx.server_facts.put_if_absent(str(samples.new_id()), b"an effect")
                await tx.idempotent_requests.create(request)

        outcomes = await asyncio.gather(*(do() for _ in range(12)), return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes) == 1
        assert all(outcome is None or isinstance(outcome, DoneBefore) for outcome in outcomes), outcomes

    async def test_old_ones_are_removed(self, database: Database) -> None:
        requests = [
            replace(samples.idempotent_request(), created_at=samples.MOMENT + timedelta(hours=hour))
            for hour in range(10)
        ]
        async with database.transaction() as tx:
            await tx.idempotent_requests.create_many(requests[::-1])
        async with database.transaction() as tx:
            await tx.idempotent_requests.remove(requests[0].id, before=samples.MOMENT)
            await tx.idempotent_requests.remove(requests[5].id, before=requests[6].created_at)
            assert await tx.idempotent_requests.remove_oldest(before=requests[8].created_at, limit=2) == 2
            assert await tx.idempotent_requests.remove_oldest(before=requests[3].created_at, limit=2) == 1
        numbers = {request.id: number for number, request in enumerate(requests)}
        stored = await database.read().idempotent_requests.find_many(list(numbers))
        assert sorted(numbers[request.id] for request in stored) == [3, 4, 6, 7, 8, 9]
