"""Requests under an idempotency key, as the services see them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from lapel.database.conformance import samples
from lapel.database.interface import Database
from lapel.domain.credential import CredentialStatus
from lapel.domain.idempotency import DoneBefore, IdempotentRequest
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.signing_key import KeyAlgorithm
from lapel.services.idempotency import KEPT_FOR, Idempotency, IdempotencyKeyInUse, IdempotencyKeyReused
from lapel.services.issuing.credential_writing import CredentialWriting
from lapel.services.requests import NewAchievement, NewEndorsement, NewIssuer
from tests.unit.services.server import OWNER, Server, award, principal, read


def asked(server: Server, key: str = "key", fingerprint: bytes = b"one") -> IdempotentRequest:
    return server.idempotency.request(OWNER, key, fingerprint)


async def test_a_request_is_known_by_its_key_and_by_who_sent_it(server: Server) -> None:
    other = principal()
    ids = {server.idempotency.request(who, key, b"").id for who in (OWNER, other) for key in ("a", "b")}
    assert len(ids) == 4
    assert asked(server).id == asked(server).id


async def test_what_is_done_is_known_for_a_day(server: Server) -> None:
    await server.issuer()
    once = asked(server)
    credential = await server.issuing.issue(OWNER, award(achievement=str((await server.achievement()).id)), once)
    server.now += KEPT_FOR
    done = await server.idempotency.done(asked(server))
    assert done is not None
    assert done.made == credential.id
    with pytest.raises(IdempotencyKeyReused):
        await server.idempotency.done(asked(server, fingerprint=b"other"))
    server.now += timedelta(seconds=1)
    assert await server.idempotency.done(asked(server, fingerprint=b"other")) is None
    assert await server.database.read().idempotent_requests.find_many([once.id]) == []


async def test_what_was_never_done_is_not_known(server: Server) -> None:
    assert await server.idempotency.done(asked(server)) is None


async def test_one_at_a_time(server: Server) -> None:
    with server.idempotency.working(asked(server)):
        with server.idempotency.working(asked(server, key="other")):
            pass
        with pytest.raises(IdempotencyKeyInUse), server.idempotency.working(asked(server)):
            pass
    with server.idempotency.working(asked(server)):
        pass


async def test_every_write_is_done_once(server: Server) -> None:
    issuer = await server.issuer()
    achievement = await server.achievement(suspendable=True)
    credential = await server.issue(achievement=str(achievement.id))
    key = await server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.ED25519)
    described: dict[str, Any] = {"name": "X", "description": "x", "criteria": {"narrative": "x"}}
    writes: dict[str, Any] = {
        "issuer": lambda once: server.issuers.create(OWNER, read(NewIssuer, {"name": "X"}), once),
        "achievement": lambda once: server.achievements.create(OWNER, read(NewAchievement, described), once),
        "credential": lambda once: server.issuing.issue(OWNER, award(achievement=str(achievement.id)), once),
        "batch": lambda once: server.batches.issue(OWNER, {"/0": award(achievement=str(achievement.id))}, once),
        "endorsement": lambda once: server.endorsing.issue(
            OWNER, read(NewEndorsement, {"endorsed": "https://x.example", "issuer": str(issuer.id)}), once
        ),
        "status": lambda once: server.statuses.change(OWNER, credential.id, CredentialStatus.SUSPENDED, once=once),
        "rotate": lambda once: server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.ED25519, once=once),
        "retire": lambda once: server.signing_keys.retire(OWNER, issuer.id, key.id, once=once),
        "compromise": lambda once: server.signing_keys.compromise(OWNER, issuer.id, key.id, once=once),
    }
    described["issuer"] = str(issuer.id)
    for name, write in writes.items():
        once = asked(server, key=name)
        await write(once)
        assert await server.idempotency.done(once) is not None, name
        before = await everything(server)
        with pytest.raises(DoneBefore):
            await write(once)
        assert await everything(server) == before, name


async def everything(server: Server) -> object:
    async with server.database.transaction(read_only=True) as tx:
        issuers = await tx.issuers.page(DEFAULT_ORGANISATION_ID, before=None, limit=100)
        return (
            issuers,
            await tx.achievements.page(DEFAULT_ORGANISATION_ID, before=None, limit=100),
            await tx.credentials.page(DEFAULT_ORGANISATION_ID, before=None, limit=100),
            [await tx.signing_keys.of_issuer(issuer.id) for issuer in issuers],
        )


async def test_expired_ones_are_removed_in_steps(database: Database) -> None:
    now = samples.MOMENT
    service = Idempotency(store=database, clock=lambda: now)
    old = [service.request(OWNER, f"old {number}", b"").done() for number in range(1500)]
    async with database.transaction() as tx:
        await tx.idempotent_requests.create_many(old)
    now += timedelta(days=2)

    async def left() -> int:
        return len(await database.read().idempotent_requests.find_many([request.id for request in old[::100]]))

    new = service.request(OWNER, "new", b"")
    await service.done(new)
    assert 0 < await left() < 15
    for _ in range(500):
        await service.done(new)
    assert await left() == 0


async def test_credentials_under_keys_are_stored_together(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing, service = CredentialWriting(database), Idempotency(store=database, clock=lambda: samples.MOMENT)
    requests = [service.request(OWNER, str(number), b"") for number in range(100)]
    await asyncio.gather(
        *(writing.write(scene.credential(number), OWNER, once) for number, once in enumerate(requests))
    )
    assert database.metrics.count("idempotent_requests.create_many") < 10
    assert all(await asyncio.gather(*(service.done(once) for once in requests)))
    assert database.metrics.count("idempotent_requests.find_many") < 10


async def test_of_a_batch_only_what_was_done_before_fails(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing, service = CredentialWriting(database), Idempotency(store=database, clock=lambda: samples.MOMENT)
    requests = [service.request(OWNER, str(number), b"") for number in range(10)]
    await writing.write(scene.credential(100), OWNER, requests[4])
    credentials = [scene.credential(number) for number in range(10)]
    outcomes = await asyncio.gather(
        *(writing.write(credential, OWNER, once) for credential, once in zip(credentials, requests, strict=True)),
        return_exceptions=True,
    )
    assert isinstance(outcomes[4], DoneBefore)
    assert [outcome for outcome in outcomes if outcome is not None] == [outcomes[4]]
    there = {one.id for one in await database.read().credentials.find_many([each.id for each in credentials])}
    assert there == {each.id for number, each in enumerate(credentials) if number != 4}
