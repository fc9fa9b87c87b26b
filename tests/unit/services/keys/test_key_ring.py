"""Signing keys: one of a kind, secret at rest, found again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from lapel.credentials import keys
from lapel.credentials.key_storage.master_key import MasterKey, UnreadableEnvelope, WrongMasterKey
from lapel.domain.signing_key import KeyAlgorithm, SigningKey
from lapel.services.keys.key_ring import KeyRing
from lapel.services.keys.master_key import StoredMasterKey
from tests.unit.services.server import MASTER_KEY, OWNER, Server

OTHER_KEY = MasterKey(bytes(range(1, 33)))


def another_process(server: Server, master_key: MasterKey = MASTER_KEY) -> KeyRing:
    return KeyRing(store=server.database, master_key=master_key, clock=lambda: server.now, new_id=server.new_id)


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.P256, KeyAlgorithm.RSA])
async def test_however_many_need_a_key_first_one_is_made(server: Server, algorithm: KeyAlgorithm) -> None:
    issuer = await server.issuer()
    rings = [server.key_ring, another_process(server)]
    loaded = await asyncio.gather(*(rings[number % 2].ensure(issuer, algorithm) for number in range(200)))
    assert len({found.key.id for found in loaded}) == 1
    stored = [key for key in await server.key_ring.public_keys(issuer.id) if key.algorithm is algorithm]
    assert [key.id for key in stored] == [loaded[0].key.id]


async def test_a_key_signs_for_its_public_half(server: Server) -> None:
    issuer = await server.issuer()
    for algorithm in KeyAlgorithm:
        loaded = await server.key_ring.ensure(issuer, algorithm)
        signature = await loaded.signer.sign(b"data")
        keys.verify(keys.load_public(loaded.key.public_key), signature=signature, data=b"data")
        assert loaded.signer.algorithm is algorithm


async def test_a_private_key_is_stored_encrypted_for_its_own_record(server: Server) -> None:
    issuer = await server.issuer()
    key = (await server.key_ring.ensure(issuer, KeyAlgorithm.ED25519)).key
    assert key.private_key_encrypted is not None
    private = MASTER_KEY.unwrap(key.private_key_encrypted, associated_data=key.id.bytes)
    assert private not in key.private_key_encrypted
    assert keys.LocalSigner(private).public_key == key.public_key
    with pytest.raises(UnreadableEnvelope):
        MASTER_KEY.unwrap(key.private_key_encrypted, associated_data=issuer.id.bytes)


async def test_another_process_uses_the_same_key(server: Server) -> None:
    issuer = await server.issuer()
    ours = await server.key_ring.ensure(issuer, KeyAlgorithm.ED25519)
    theirs = await another_process(server).ensure(issuer, KeyAlgorithm.ED25519)
    assert theirs.key == ours.key


async def test_a_stored_rsa_key_is_not_checked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = await server.issuer()
    await server.key_ring.ensure(issuer, KeyAlgorithm.RSA)
    skipped: list[bool] = []
    load = serialization.load_der_private_key

    def loading(*args: Any, unsafe_skip_rsa_key_validation: bool, **more: Any) -> object:
        skipped.append(unsafe_skip_rsa_key_validation)
        return load(*args, unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation, **more)

    monkeypatch.setattr(serialization, "load_der_private_key", loading)
    await another_process(server).ensure(issuer, KeyAlgorithm.RSA)

    assert skipped == [True]  # it would hold the event loop for a tenth of a second


async def test_the_wrong_master_key_opens_nothing(server: Server) -> None:
    issuer = await server.issuer()
    with pytest.raises(WrongMasterKey):
        await another_process(server, OTHER_KEY).ensure(issuer, KeyAlgorithm.ED25519)


async def test_a_database_knows_its_master_key(server: Server) -> None:
    await StoredMasterKey(MASTER_KEY).establish(server.database)
    await StoredMasterKey(MASTER_KEY).establish(server.database)
    with pytest.raises(WrongMasterKey):
        await StoredMasterKey(OTHER_KEY).establish(server.database)


async def test_a_first_user_who_gives_up_does_not_stop_the_next(server: Server) -> None:
    issuer = await server.issuer()
    first = asyncio.create_task(server.key_ring.ensure(issuer, KeyAlgorithm.RSA))
    second = asyncio.create_task(server.key_ring.ensure(issuer, KeyAlgorithm.RSA))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).key.algorithm is KeyAlgorithm.RSA
    assert first.cancelled() or first.cancelling()


async def test_what_was_read_before_a_rotation_is_not_used_after_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, find = await server.issuer(), server.key_ring._find_or_create
    server.key_ring.forget(issuer.id)
    found, rotated = asyncio.Event(), asyncio.Event()

    async def slow(*given: Any) -> SigningKey:
        key = await find(*given)
        found.set()
        await rotated.wait()
        return key

    monkeypatch.setattr(server.key_ring, "_find_or_create", slow)
    using = asyncio.create_task(server.key_ring.ensure(issuer, KeyAlgorithm.ED25519))
    await found.wait()
    new = await server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.ED25519)
    rotated.set()

    assert (await using).key == new
    assert (await server.key_ring.ensure(issuer, KeyAlgorithm.ED25519)).key == new


async def test_which_key_is_active_is_asked_again_after_a_while(server: Server) -> None:
    issuer = await server.issuer()
    before = await server.key_ring.ensure(issuer, KeyAlgorithm.ED25519)
    server.now += timedelta(minutes=5)
    assert (await server.key_ring.ensure(issuer, KeyAlgorithm.ED25519)).key == before.key
    server.key_ring.forget(issuer.id)
    assert (await server.key_ring.ensure(issuer, KeyAlgorithm.ED25519)).key == before.key
