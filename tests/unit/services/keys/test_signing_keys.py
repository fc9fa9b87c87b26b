"""The life of a signing key: what it signed verifies for ever, unless others knew it by then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from lapel.credentials import keys
from lapel.database.errors import OutcomeUnknown
from lapel.domain.access import Role
from lapel.domain.signing_key import KeyAlgorithm, KeyState, SigningKey
from lapel.errors import Conflict, Forbidden, InvalidInput, NotFound
from lapel.services.keys.key_ring import KeyRing
from lapel.services.keys.signing_keys import KeyIsIssuer, KeyStateFinal, PrivateHalfMissing
from tests.unit.services.server import MASTER_KEY, NOW, OWNER, Server, principal
from tests.unit.services.site import failures, verify

FORMATS = {"eddsa-rdfc-2022": KeyAlgorithm.ED25519, "vc-jwt": KeyAlgorithm.RSA}


def method_of(signed: bytes) -> str:
    found: str = json.loads(signed)["proof"][0]["verificationMethod"]
    return found


async def active(server: Server, algorithm: KeyAlgorithm = KeyAlgorithm.ED25519) -> SigningKey:
    issuer = await server.database.read().issuers.default()
    assert issuer is not None
    return (await server.key_ring.ensure(issuer, algorithm)).key


@pytest.mark.parametrize("identity", ["https", "did:web"])
@pytest.mark.parametrize("format_", list(FORMATS))
async def test_after_a_rotation_old_badges_verify_as_new_ones_do(server: Server, format_: str, identity: str) -> None:
    issuer = await server.issuer(identity=identity)
    achievement = await server.achievement()
    before = await server.issue(achievement=str(achievement.id), format=format_)
    old = await active(server, FORMATS[format_])

    new = await server.signing_keys.rotate(OWNER, issuer.id, FORMATS[format_])
    after = await server.issue(achievement=str(achievement.id), format=format_)

    assert (await active(server, FORMATS[format_])).id == new.id != old.id
    for badge in (before, after):
        report = await verify(server, badge.signed)
        assert report.valid, failures(report)
    if format_ == "eddsa-rdfc-2022":
        assert method_of(before.signed).endswith(keys.multikey(old.public_key))
        assert method_of(after.signed).endswith(keys.multikey(new.public_key))
    states = {key.id: key.state for key in await server.signing_keys.of_issuer(OWNER, issuer.id)}
    assert (states[old.id], states[new.id]) == (KeyState.RETIRED, KeyState.ACTIVE)


@pytest.mark.parametrize("format_", list(FORMATS))
async def test_what_was_signed_before_a_key_was_known_to_others_stays_good(server: Server, format_: str) -> None:
    before = await server.badge(format=format_)
    key = await active(server, FORMATS[format_])
    server.now += timedelta(hours=1)
    after = await server.issue(achievement=str(before.achievement_id), format=format_)
    server.now += timedelta(hours=1)

    await server.signing_keys.compromise(OWNER, key.issuer_id, key.id, since=NOW + timedelta(minutes=30))

    report = await verify(server, before.signed)
    assert report.valid, failures(report)
    report = await verify(server, after.signed)
    assert report.valid is False
    assert [check.problem for check in report.checks if check.code == "key"] == ["key_revoked"]
    new = await server.issue(achievement=str(before.achievement_id), format=format_)
    report = await verify(server, new.signed)
    assert report.valid, failures(report)


async def test_a_token_counts_from_when_it_was_signed_not_from_when_it_is_valid(server: Server) -> None:
    before = await server.badge(format="vc-jwt", validFrom="2026-06-01T13:00:00Z")
    later = await server.issue(
        achievement=str(before.achievement_id), format="vc-jwt", validFrom="2020-01-01T00:00:00Z"
    )
    key = await active(server, KeyAlgorithm.RSA)
    server.now += timedelta(hours=2)
    await server.signing_keys.compromise(OWNER, key.issuer_id, key.id, since=NOW + timedelta(minutes=1))
    assert (await verify(server, before.signed)).valid

    await server.signing_keys.compromise(OWNER, key.issuer_id, key.id, since=NOW - timedelta(minutes=1))
    assert (await verify(server, later.signed)).valid is False


async def test_a_status_list_is_signed_anew_when_its_key_is_not_to_be_believed(server: Server) -> None:
    badge = await server.badge()
    key = await active(server)
    assert badge.status_list_id is not None
    before = await server.statuses.status_list(badge.status_list_id)

    await server.signing_keys.compromise(OWNER, key.issuer_id, key.id, since=NOW - timedelta(days=1))

    after = await server.statuses.status_list(badge.status_list_id)
    assert method_of(before.content) != method_of(after.content)
    report = await verify(server, (await server.issue(achievement=str(badge.achievement_id))).signed)
    assert report.valid, failures(report)


async def test_a_compromised_key_is_published_with_its_time_and_left_out_of_the_key_set(server: Server) -> None:
    issuer = await server.issuer()
    key = await active(server)

    await server.signing_keys.compromise(OWNER, issuer.id, key.id)

    document = json.loads(json.dumps(await server.issuers.document(issuer.id)))
    methods = document["verificationMethod"]
    assert [method.get("revoked") for method in methods] == ["2026-06-01T12:00:02.250Z", None]
    assert document["assertionMethod"] == [method["id"] for method in methods]
    [kept] = json.loads(json.dumps(await server.issuers.jwks()))["keys"]
    assert kept["kid"] == server.addresses.issuer_key(issuer.id, (await active(server)).id)
    assert (await server.issuers.key_document(issuer.id, key.id))["kty"] == "OKP"


async def test_of_two_times_the_earlier_one_counts(server: Server) -> None:
    issuer = await server.issuer()
    key = await active(server)
    given = [NOW - timedelta(days=1), NOW - timedelta(days=3), NOW - timedelta(days=2)]

    for since in given:
        changed = await server.signing_keys.compromise(OWNER, issuer.id, key.id, since=since)

    assert changed.compromised_at == NOW - timedelta(days=3)


@pytest.mark.parametrize("since", [NOW + timedelta(seconds=1), NOW.replace(tzinfo=None)])
async def test_a_time_that_cannot_be_is_refused(server: Server, since: datetime) -> None:
    issuer = await server.issuer()
    with pytest.raises(InvalidInput):
        await server.signing_keys.compromise(OWNER, issuer.id, (await active(server)).id, since=since)


async def test_a_retired_key_signs_no_more_and_never_becomes_better(server: Server) -> None:
    issuer = await server.issuer()
    key = await active(server)

    retired = await server.signing_keys.retire(OWNER, issuer.id, key.id)
    server.now += timedelta(hours=1)

    assert await server.signing_keys.retire(OWNER, issuer.id, key.id) == retired
    assert (await active(server)).id != key.id
    compromised = await server.signing_keys.compromise(OWNER, issuer.id, key.id)
    assert (compromised.state, compromised.retired_at) == (KeyState.COMPROMISED, retired.retired_at)
    with pytest.raises(KeyStateFinal):
        await server.signing_keys.retire(OWNER, issuer.id, key.id)


async def test_another_process_notices_a_rotation_within_a_second(server: Server) -> None:
    issuer = await server.issuer()
    other = KeyRing(store=server.database, master_key=MASTER_KEY, clock=lambda: server.now, new_id=server.new_id)
    await other.ensure(issuer, KeyAlgorithm.ED25519)

    new = await server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.ED25519)

    server.now += timedelta(seconds=1)
    assert (await other.ensure(issuer, KeyAlgorithm.ED25519)).key == new


async def test_after_a_rotation_of_which_nobody_heard_the_new_key_signs(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer, old, run = await server.issuer(), await active(server), server.database.run

    async def unheard(*given: Any, **named: Any) -> None:
        await run(*given, **named)
        raise OutcomeUnknown

    monkeypatch.setattr(server.database, "run", unheard)
    with pytest.raises(OutcomeUnknown):
        await server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.ED25519)
    assert (await active(server)).id != old.id


async def test_however_many_rotate_at_once_one_key_is_active(server: Server) -> None:
    issuer = await server.issuer()
    rotate = server.signing_keys.rotate
    await asyncio.gather(*(rotate(OWNER, issuer.id, KeyAlgorithm.P256) for _ in range(8)))
    found = [key.state for key in await server.key_ring.public_keys(issuer.id) if key.algorithm is KeyAlgorithm.P256]
    assert found.count(KeyState.ACTIVE) == 1


@pytest.mark.parametrize("change", ["retire", "compromise"])
async def test_a_key_whose_issuer_is_deleted_meanwhile_is_not_there(
    server: Server, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = await server.issuer()
    key = await active(server)
    generate = server.key_ring.generate

    async def generate_and_lose(*args: Any) -> SigningKey:
        successor = await generate(*args)
        await server.issuers.delete(OWNER, issuer.id)
        return successor

    monkeypatch.setattr(server.key_ring, "generate", generate_and_lose)
    with pytest.raises(NotFound):
        await getattr(server.signing_keys, change)(OWNER, issuer.id, key.id)


async def test_the_key_of_a_did_key_is_the_issuer(server: Server) -> None:
    issuer = await server.issuer(identity="did:key")
    key = await active(server)
    for change in (
        server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.ED25519),
        server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.P256),  # no verifier would find it
        server.signing_keys.retire(OWNER, issuer.id, key.id),
        server.signing_keys.compromise(OWNER, issuer.id, key.id),
        server.signing_keys.import_key(OWNER, issuer.id, public_key=key.public_key, private_key=None),
    ):
        with pytest.raises(KeyIsIssuer):
            await change
    assert (await active(server)) == key


async def test_the_key_with_which_a_did_key_signs_open_badges_2_can_be_disowned(server: Server) -> None:
    issuer = await server.issuer(identity="did:key", email="office@example.org")
    badge = await server.issue(achievement=str((await server.achievement()).id))
    stolen = await server.signed_assertions.get(badge.id)
    key = await active(server, KeyAlgorithm.RSA)

    await server.signing_keys.compromise(OWNER, issuer.id, key.id)

    assert (await verify(server, stolen)).valid is False
    assert (await verify(server, await server.signed_assertions.get(badge.id))).valid is True
    rotated = await server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.RSA)
    assert (await active(server, KeyAlgorithm.RSA)).id == rotated.id


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
async def test_a_key_from_elsewhere_signs_from_now_on(server: Server, algorithm: KeyAlgorithm) -> None:
    issuer = await server.issuer()
    old = await active(server, algorithm)
    pair = keys.generate(algorithm)

    taken = await server.signing_keys.import_key(
        OWNER, issuer.id, public_key=pair.public_key, private_key=pair.private_key
    )

    assert (await active(server, algorithm)).id == taken.id != old.id
    assert await server.signing_keys.private_half(OWNER, taken.id) == pair.private_key
    with pytest.raises(Conflict):
        await server.signing_keys.import_key(OWNER, issuer.id, public_key=pair.public_key, private_key=pair.private_key)
    with pytest.raises(PrivateHalfMissing):
        await server.signing_keys.import_key(OWNER, issuer.id, public_key=old.public_key, private_key=None)


async def test_the_keys_of_others_are_not_there(server: Server) -> None:
    issuer = await server.issuer()
    key = await active(server)
    stranger = await server.stranger()
    asked: list[Callable[[], Awaitable[object]]] = [
        lambda: server.signing_keys.of_issuer(stranger, issuer.id),
        lambda: server.signing_keys.rotate(stranger, issuer.id, KeyAlgorithm.P256),
        lambda: server.signing_keys.compromise(stranger, issuer.id, key.id),
        lambda: server.signing_keys.private_half(stranger, key.id),
        lambda: server.signing_keys.retire(OWNER, issuer.id, server.new_id()),
    ]
    for ask in asked:
        with pytest.raises(NotFound):
            await ask()
    with pytest.raises(Forbidden):
        await server.signing_keys.rotate(principal(Role.ISSUER), issuer.id, KeyAlgorithm.P256)
