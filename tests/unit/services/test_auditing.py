"""No change without its entry in the audit log, and no entry without its change."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from lapel.cli.running import OPERATOR
from lapel.credentials import keys
from lapel.database.conformance import samples
from lapel.database.errors import DatabaseError, ForeignKeyViolation
from lapel.database.interface import Database
from lapel.domain.access import Role
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.clock import system_clock
from lapel.domain.credential import CredentialStatus
from lapel.domain.origin import Origin, origin
from lapel.domain.ports import Transaction
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import Conflict, Forbidden, InvalidInput
from lapel.services.auditing.recording import record
from lapel.services.issuing.bulk_issuing import Row, key_of_id
from lapel.services.issuing.credential_writing import CredentialWriting
from lapel.services.requests import AchievementChanges, IssuerChanges, NewApiKey, Replacement
from tests.support.waiting import eventually
from tests.unit.services.server import OWNER, Server, award, principal, read


@pytest.fixture
async def server(database: Database) -> Server:
    return Server(database)


async def log(server: Server, **filters: Any) -> list[AuditEntry]:
    return list((await server.audit_log.page(OWNER, limit=100, **filters)).items)


async def actions(server: Server) -> Counter[Action]:
    return Counter(entry.action for entry in await log(server))


async def test_a_change_that_is_rolled_back_leaves_no_entry(server: Server) -> None:
    async def body(tx: Transaction) -> None:
        issuer = samples.issuer()
        await tx.issuers.create(issuer)
        await record(tx, OWNER, Action.ISSUER_CREATED, issuer.id, after=issuer)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await server.database.run(body)
    assert await log(server) == []


async def test_an_entry_that_cannot_be_written_takes_the_change_with_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = await server.issuer()

    async def fail(*_: object) -> None:
        raise Conflict

    monkeypatch.setattr("lapel.database.repositories.audit_log.SqlAuditLogRepository.record", fail)
    with pytest.raises(Conflict):
        await server.issuers.change(OWNER, issuer.id, read(IssuerChanges, {"name": "Another"}))
    there = await server.database.read().achievements.page(issuer.organisation_id, before=None, limit=10)
    with pytest.raises(Conflict):
        await server.achievement()
    assert await server.issuers.get(issuer.id) == issuer
    assert await server.database.read().achievements.page(issuer.organisation_id, before=None, limit=10) == there


async def test_what_changes_nothing_leaves_no_entry(server: Server) -> None:
    issuer = await server.issuer()
    achievement = await server.achievement(image="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>")
    key = await server.api_keys.create(OWNER, read(NewApiKey, {"name": "k", "role": "viewer"}))
    await server.api_keys.revoke(OWNER, key.key.id)
    credential = await server.issue(achievement=str(achievement.id))
    before = await actions(server)

    await server.issuers.change(OWNER, issuer.id, read(IssuerChanges, {"name": issuer.name}))
    server.now += timedelta(seconds=1)
    await server.achievements.change(OWNER, achievement.id, read(AchievementChanges, {"name": achievement.name}))
    await server.images.upload(OWNER, b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    await server.api_keys.revoke(OWNER, key.key.id)
    once = server.idempotency.request(OWNER, "key", b"asked")
    await server.statuses.change(OWNER, credential.id, CredentialStatus.ACTIVE, once=once)

    assert await actions(server) == before


async def test_credentials_that_are_stored_together_share_an_entry_for_each_who_issued(database: Database) -> None:
    scene, writing, server = await samples.set_scene(database), CredentialWriting(database), Server(database)
    others = principal(Role.ISSUER)
    credentials = [scene.credential(index) for index in range(60)]

    async def write(index: int) -> None:
        origin.set(Origin(f"192.0.2.{index % 2}", f"request{index}"))
        await writing.write(credentials[index], (OWNER, others)[index // 30])

    await asyncio.gather(*(asyncio.create_task(write(index)) for index in range(60)))

    entries = await log(server)
    assert len(entries) < 20
    issued: dict[str, tuple[str, str | None, str | None]] = {}
    for entry in entries:
        assert entry.action is Action.CREDENTIAL_ISSUED
        pairs: Any = entry.details.get("issued", [(str(entry.entity_id), entry.request_id)])
        for credential_id, request_id in pairs:
            assert credential_id not in issued
            issued[credential_id] = (entry.actor, entry.address, request_id)
    assert issued == {
        str(credential.id): ((OWNER, others)[index // 30].actor, f"192.0.2.{index % 2}", f"request{index}")
        for index, credential in enumerate(credentials)
    }
    for credential in credentials[::7]:
        (told,) = await log(server, entity_id=credential.id)
        assert str(credential.id) in str(told)


async def test_one_that_cannot_be_stored_leaves_no_entry_and_its_neighbours_theirs(database: Database) -> None:
    scene, writing, server = await samples.set_scene(database), CredentialWriting(database), Server(database)
    good = [scene.credential(index) for index in range(5)]
    bad = replace(scene.credential(9), issuer_id=samples.new_id())

    outcomes = await asyncio.gather(
        *(writing.write(credential, OWNER) for credential in [*good, bad]), return_exceptions=True
    )

    assert isinstance(outcomes[-1], ForeignKeyViolation)
    told = str(await log(server))
    assert all(told.count(str(credential.id)) == 1 for credential in good)
    assert str(bad.id) not in told


async def test_a_chunk_from_a_file_has_one_entry_and_only_what_is_new_is_in_it(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    bulk = server.bulk_issuing
    rows = [
        Row(
            key=key_of_id(achievement.id, str(number)),
            request=award(
                achievement=str(achievement.id), recipient={"type": "email", "identity": f"p{number}@example.org"}
            ),
        )
        for number in range(3)
    ]
    await bulk.issue(OPERATOR, achievement.id, rows[:2])
    await bulk.issue(OPERATOR, achievement.id, rows)
    await bulk.issue(OPERATOR, achievement.id, rows)

    told = await log(server, action=Action.CREDENTIAL_ISSUED)
    assert [len(entry.details.get("issued", "1")) for entry in told] == [1, 2]  # type: ignore[arg-type]  # a list
    assert {entry.actor for entry in told} == {"command-line"}


async def test_a_batch_has_an_entry_for_each_256(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    await server.issue_many([award(achievement=str(achievement.id))] * 300)
    told = await log(server, action=Action.CREDENTIAL_ISSUED)
    assert [len(entry.details["issued"]) for entry in told] == [44, 256]  # type: ignore[arg-type]  # a list


async def test_keys_are_told_by_their_state_and_never_by_their_bytes(server: Server) -> None:
    issuer = await server.issuer()
    rotated = await server.signing_keys.rotate(OWNER, issuer.id, KeyAlgorithm.ED25519)
    await server.signing_keys.compromise(OWNER, issuer.id, rotated.id)
    pair = keys.generate(KeyAlgorithm.P256)
    taken = await server.signing_keys.import_key(
        OWNER, issuer.id, public_key=pair.public_key, private_key=pair.private_key
    )
    await server.signing_keys.private_half(OWNER, taken.id)
    created = await server.api_keys.create(OWNER, read(NewApiKey, {"name": "script", "role": "issuer"}))

    found = await actions(server)
    assert found[Action.SIGNING_KEY_CREATED] == 4  # the first, its successor, that one's, and the one from elsewhere
    assert (found[Action.SIGNING_KEY_RETIRED], found[Action.SIGNING_KEY_COMPROMISED]) == (1, 1)
    assert (found[Action.SIGNING_KEY_EXPORTED], found[Action.API_KEY_CREATED]) == (1, 1)
    members = {name for entry in await log(server) for word in entry.details.values() for name in dict(word)}  # type: ignore[call-overload]  # mappings
    assert {"algorithm", "state", "role", "scopes"} <= members
    assert not {"publicKey", "privateKeyEncrypted", "digest"} & members
    assert created.secret not in str(await log(server))


@pytest.mark.parametrize("role", [Role.ISSUER, Role.VIEWER])
async def test_only_owners_and_admins_read_it(server: Server, role: Role) -> None:
    with pytest.raises(Forbidden):
        await server.audit_log.page(principal(role))


async def test_each_organisation_reads_its_own(server: Server) -> None:
    credential = await server.badge()
    stranger = await server.stranger()
    assert list((await server.audit_log.page(stranger)).items) == []
    assert list((await server.audit_log.page(stranger, entity_id=credential.id)).items) == []


async def test_what_is_pruned_is_gone_and_the_log_says_so(server: Server) -> None:
    await server.issuer()
    last = (await log(server))[0].at
    assert eventually(lambda: system_clock() > last)  # the log is kept by the millisecond
    server.now = end = system_clock()
    await server.achievement()
    with pytest.raises(InvalidInput):
        await server.audit_log.prune(OWNER, before=end + timedelta(days=1))
    before = await log(server)
    younger = [entry for entry in before if entry.at >= end]

    assert await server.audit_log.prune(OWNER, before=end) == len(before) - len(younger) >= 1

    said, *left = await log(server)
    assert (said.action, left) == (Action.AUDIT_LOG_PRUNED, younger)
    assert await server.audit_log.prune(OWNER, before=end - timedelta(days=1)) == 0


async def test_the_database_itself_refuses_to_change_or_take_away_an_entry(server: Server) -> None:
    await server.issuer()
    before = await log(server)
    for sql in ("UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"):
        with pytest.raises(DatabaseError):
            async with server.database.maintenance(writes=True) as session:
                await session.run(sql)
    with pytest.raises(Conflict):
        async with server.database.transaction() as tx:
            await tx.audit_log.prune(OWNER.organisation_id, before=before[0].id, limit=10)
    assert await log(server) == before


async def test_a_service_that_forgets_to_record_cannot_commit_where_tests_look(server: Server) -> None:
    async def careless(tx: Any) -> None:
        await tx.issuers.create(samples.issuer())

    # As if a service had said so: the fixture of `tests.support.audited` looks at who opens a transaction.
    code = compile("async def change(store, body):\n    await store.run(body)\n", "careless", "exec")
    names: dict[str, Any] = {"__name__": "lapel.services.careless"}
    exec(code, names)  # noqa: S102 - our own two lines
    with pytest.raises(AssertionError, match=r"records nothing of issuers\.create"):
        await names["change"](server.database, careless)
    assert await server.database.read().issuers.page(OWNER.organisation_id, before=None, limit=1) == []


async def test_of_a_replaced_one_is_told_how_it_stood_at_that_moment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.issuer()
    achievement = await server.achievement(suspendable=True)
    old = await server.issue(achievement=str(achievement.id))
    sign = server.issuing.sign

    async def sign_while_another_suspends(asked: Any) -> Any:
        await server.statuses.change(OWNER, old.id, CredentialStatus.SUSPENDED)
        return await sign(asked)

    monkeypatch.setattr(server.issuing, "sign", sign_while_another_suspends)
    recipient = {"type": "email", "identity": "ada@example.org"}
    new = await server.replacing.replace(OWNER, old.id, read(Replacement, {"recipient": recipient}))

    (entry,) = await log(server, action=Action.CREDENTIAL_REPLACED)
    assert entry.entity_id == old.id
    assert entry.details["before"] == {"status": "suspended"}
    assert entry.details["after"] == {"status": "revoked", "replacedBy": str(new.id)}
