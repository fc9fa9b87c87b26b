"""Requests under an idempotency key, as the services see them."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from lapel.credentials.key_storage.master_key import MasterKey
from lapel.database.conformance import samples
from lapel.database.errors import NotConnected, OutcomeUnknown
from lapel.database.interface import Database
from lapel.database.repositories.idempotent_requests import SqlIdempotentRequestRepository
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.idempotency import DoneBefore, IdempotentRequest
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.signing_key import KeyAlgorithm, SigningKey
from lapel.errors import Conflict
from lapel.openbadges.v3 import CONTEXTS
from lapel.services.idempotency import RETENTION, Idempotency, IdempotencyKeyInUse, IdempotencyKeyReused
from lapel.services.issuing.credential_writing import CredentialWriting
from lapel.services.requests import (
    NewAchievement,
    NewCredential,
    NewEndorsement,
    NewIssuer,
    NewStatuses,
    Replacement,
)
from tests.support.unheard import unheard
from tests.unit.services.server import MASTER_KEY, OWNER, Server, award, principal, read

__all__ = ["unheard"]


def asked(server: Server, key: str = "key", fingerprint: bytes = b"one") -> IdempotentRequest:
    return server.idempotency.request(OWNER, key, fingerprint)


async def test_a_request_is_known_by_its_key_and_by_who_sent_it(server: Server) -> None:
    other = principal()
    ids = {server.idempotency.request(who, key, b"").id for who in (OWNER, other) for key in ("a", "b")}
    assert len(ids) == 4
    assert asked(server).id == asked(server).id


def knowing(database: Database, *, master_key: MasterKey = MASTER_KEY) -> Idempotency:
    return Idempotency(store=database, clock=lambda: samples.MOMENT, master_key=master_key)


async def test_what_is_kept_of_a_request_tells_nobody_what_it_asked_for(server: Server) -> None:
    """Its outcome names a credential: when that is erased, nobody is to try out for whom it was asked."""
    kept = server.idempotency.request(OWNER, "ada@example.org", b"digest")
    guessed = knowing(server.database, master_key=MasterKey.generate()).request(OWNER, "ada@example.org", b"digest")
    assert (kept.id == guessed.id, kept.fingerprint in (guessed.fingerprint, b"digest")) == (False, False)


async def test_what_is_done_is_known_for_a_day(server: Server) -> None:
    await server.issuer()
    once = asked(server)
    credential = await server.issuing.issue(OWNER, award(achievement=str((await server.achievement()).id)), once)
    server.now += RETENTION
    done = await server.idempotency.done(asked(server))
    assert done is not None
    assert done.entity_id == credential.id
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


@dataclass(frozen=True)
class Scene:
    """What there is to write about, on one of the databases."""

    server: Server
    issuer: Issuer
    achievement: str
    credential: Credential
    key: SigningKey


@pytest.fixture
async def scene(database: Database) -> Scene:
    server = Server(database)
    issuer = await server.issuer()
    achievement = str((await server.achievement(suspendable=True)).id)
    credential = await server.issue(achievement=achievement)
    return Scene(
        server,
        issuer,
        achievement,
        credential,
        await server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.ED25519),
    )


def achieved(at: Scene) -> NewAchievement:
    members = {"name": "X", "description": "x", "criteria": {"narrative": "x"}, "issuer": str(at.issuer.id)}
    request: NewAchievement = read(NewAchievement, members)
    return request


def awards(at: Scene) -> dict[str, NewCredential]:
    return {f"/{number}": award(achievement=at.achievement) for number in range(2)}


def standing(at: Scene, *others: str, status: str = "suspended") -> NewStatuses:
    request: NewStatuses = read(NewStatuses, {"ids": [str(at.credential.id), *others], "status": status})
    return request


FOREIGN: JsonObject = {
    "credential": {
        "@context": [CONTEXTS[0]],
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "did:example:a"},
    }
}

Write = Callable[[Scene, IdempotentRequest], Awaitable[object]]
WRITES: dict[str, Write] = {
    "issuer": lambda at, once: at.server.issuers.create(OWNER, read(NewIssuer, {"name": "X"}), once),
    "achievement": lambda at, once: at.server.achievements.create(OWNER, achieved(at), once),
    "credential": lambda at, once: at.server.issuing.issue(OWNER, award(achievement=at.achievement), once),
    "foreign credential": lambda at, once: at.server.vc_issuing.issue(OWNER, FOREIGN, once),
    "batch": lambda at, once: at.server.batches.issue(OWNER, awards(at), once),
    "each": lambda at, once: at.server.batches.issue_each(OWNER, {**awards(at), "/2": award(achievement="x")}, once),
    "endorsement": lambda at, once: at.server.endorsing.issue(
        OWNER, read(NewEndorsement, {"endorsed": "https://x.example", "issuer": str(at.issuer.id)}), once
    ),
    "status": lambda at, once: at.server.statuses.change(
        OWNER, at.credential.id, CredentialStatus.SUSPENDED, once=once
    ),
    "statuses": lambda at, once: at.server.many_statuses.change(OWNER, standing(at), once=once),
    "statuses of each": lambda at, once: at.server.many_statuses.change(
        OWNER, standing(at, "x"), atomic=False, once=once
    ),
    "replace": lambda at, once: at.server.replacing.replace(
        OWNER,
        at.credential.id,
        read(Replacement, {"recipient": {"type": "email", "identity": "b@x.example"}}),
        once=once,
    ),
    "rotate": lambda at, once: at.server.signing_keys.rotate(OWNER, at.issuer.id, KeyAlgorithm.ED25519, once=once),
    "retire": lambda at, once: at.server.signing_keys.retire(OWNER, at.issuer.id, at.key.id, once=once),
    "compromise": lambda at, once: at.server.signing_keys.compromise(OWNER, at.issuer.id, at.key.id, once=once),
}


@pytest.mark.parametrize("name", WRITES)
async def test_every_write_is_done_once(scene: Scene, name: str) -> None:
    once = asked(scene.server)
    await WRITES[name](scene, once)
    assert await scene.server.idempotency.done(once) is not None
    before = await everything(scene.server)
    # What is to be replaced is looked at before the transaction; the route asks then whether this was it.
    with pytest.raises(Conflict if name == "replace" else DoneBefore):
        await WRITES[name](scene, once)
    assert await everything(scene.server) == before


@pytest.mark.parametrize("name", WRITES)
async def test_what_did_not_hear_of_its_own_commit_is_told_that_it_is_done(
    scene: Scene, name: str, unheard: list[str]
) -> None:
    once = asked(scene.server)
    # A credential is stored together with others', of which each is told for itself.
    with pytest.raises(OutcomeUnknown if name.endswith("credential") else DoneBefore):
        await WRITES[name](scene, once)
    assert len(unheard) == 1
    assert await scene.server.idempotency.done(once) is not None


@pytest.mark.parametrize("name", ["credential", "foreign credential"])
async def test_of_two_servers_at_once_one_does_it(scene: Scene, name: str) -> None:
    once, other = asked(scene.server), replace(scene, server=Server(scene.server.database))
    before = await everything(scene.server)

    outcomes = await asyncio.gather(*(WRITES[name](at, once) for at in (scene, other)), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {Credential, DoneBefore}
    (made,) = (outcome for outcome in outcomes if isinstance(outcome, Credential))
    done = await scene.server.idempotency.done(once)
    assert done is not None
    assert done.entity_id == made.id
    assert len((await everything(scene.server))[2]) == len(before[2]) + 1


@pytest.mark.parametrize("atomic", [True, False])
async def test_what_others_have_done_since_does_not_hide_that_it_is_done(scene: Scene, atomic: bool) -> None:
    once, service = asked(scene.server), scene.server.many_statuses
    await service.change(OWNER, standing(scene), atomic=atomic, once=once)
    await service.change(OWNER, standing(scene, status="revoked"))
    with pytest.raises(DoneBefore):
        await service.change(OWNER, standing(scene), atomic=atomic, once=once)


async def everything(server: Server) -> tuple[Sequence[object], ...]:
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
    service = Idempotency(store=database, clock=lambda: now, master_key=MASTER_KEY)
    old = [service.request(OWNER, f"old {number}", b"").with_outcome() for number in range(1500)]
    async with database.transaction() as tx:
        await tx.idempotent_requests.create_many(old)
    now += timedelta(days=2)

    async def left() -> int:
        return len(await database.read().idempotent_requests.find_many([request.id for request in old[::10]]))

    new = service.request(OWNER, "new", b"")
    await service.done(new)
    await swept(service)
    assert 0 < await left() < 150
    for _ in range(500):
        await service.done(new)
    await swept(service)
    assert await left() == 0


async def swept(service: Idempotency) -> None:
    """Wait for what is being removed in the background."""
    assert service._sweep_task is not None
    await service._sweep_task


async def test_a_request_does_not_fail_with_the_removal_of_expired_ones(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object, **__: object) -> int:
        raise NotConnected

    monkeypatch.setattr(SqlIdempotentRequestRepository, "remove_oldest", failing)
    with capture_logs() as logged:
        assert await server.idempotency.done(asked(server)) is None
        await swept(server.idempotency)
    assert [entry["event"] for entry in logged] == ["expired idempotency keys were not removed"]


async def test_what_is_looked_for_together_is_nobodys_in_particular(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    whose, seen = contextvars.ContextVar[str]("whose", default="nobody's"), list[str]()

    async def find_many(*_: object) -> list[IdempotentRequest]:
        seen.append(whose.get())
        return []

    monkeypatch.setattr(SqlIdempotentRequestRepository, "find_many", find_many)
    whose.set("the first one's")
    await server.idempotency.done(asked(server))
    assert seen == ["nobody's"]


async def test_an_error_of_which_nobody_is_left_to_hear_is_not_complained_of(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, complaints = asyncio.Event(), list[object]()

    async def find_many(*_: object) -> list[IdempotentRequest]:
        looking.set()
        raise NotConnected

    monkeypatch.setattr(SqlIdempotentRequestRepository, "find_many", find_many)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    waiting = asyncio.create_task(server.idempotency.done(asked(server)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await looking.wait()
    await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


async def test_credentials_under_keys_are_stored_together(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing, service = CredentialWriting(database), knowing(database)
    requests = [service.request(OWNER, str(number), b"") for number in range(100)]
    await asyncio.gather(
        *(writing.write(scene.credential(number), OWNER, once) for number, once in enumerate(requests))
    )
    assert database.metrics.count("idempotent_requests.create_many") < 10
    assert all(await asyncio.gather(*(service.done(once) for once in requests)))
    assert database.metrics.count("idempotent_requests.find_many") < 10


async def test_of_a_batch_only_what_was_done_before_fails(database: Database) -> None:
    scene = await samples.set_scene(database)
    writing, service = CredentialWriting(database), knowing(database)
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
