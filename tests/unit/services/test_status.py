"""Revocation, and the lists that tell of it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from lapel.credentials.jose import vc_jwt
from lapel.domain.access import Role
from lapel.domain.clock import format_timestamp
from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.errors import Conflict, Forbidden, InvalidInput, NotFound
from lapel.services.issuing.status_allocation import BLOCK, AllocatedEntry
from lapel.services.status import VALID_FOR
from lapel.services.verifying.report import Problem
from tests.unit.services.server import BASE, OWNER, Server, principal
from tests.unit.services.site import Site, bit, failures, verify


async def revoke(server: Server, credential: Credential, reason: str | None = "Awarded by mistake") -> Credential:
    return await server.statuses.change(OWNER, credential.id, CredentialStatus.REVOKED, reason)


async def test_a_revoked_badge_is_not_valid_any_more(server: Server) -> None:
    credential = await server.badge()
    assert (await verify(server, credential.signed)).valid is True
    revoked = await revoke(server, credential)
    assert (revoked.status, revoked.status_reason) == (CredentialStatus.REVOKED, "Awarded by mistake")
    assert revoked.status_changed_at == server.now
    assert revoked.signed == credential.signed
    report = await verify(server, credential.signed)
    assert report.valid is False, failures(report)


async def test_only_the_revoked_badges_bit_is_set(server: Server) -> None:
    one = await server.badge()
    other = await server.issue(achievement=str(one.achievement_id))
    await revoke(server, one)
    assert (await bit(server, one), await bit(server, other)) == (1, 0)


async def test_a_list_is_signed_by_the_issuer_and_says_how_long_it_keeps(server: Server) -> None:
    credential = await server.badge()
    assert credential.status_list_id is not None
    content = json.loads((await server.statuses.status_list(credential.status_list_id)).content)
    assert content["id"] == f"{BASE}/v3/status-lists/{credential.status_list_id}"
    assert content["issuer"] == f"{BASE}/v3/issuers/{credential.issuer_id}"
    assert content["credentialSubject"]["ttl"] == 300_000
    assert content["validFrom"] == format_timestamp((server.now - timedelta(seconds=60)).replace(microsecond=0))
    assert content["credentialSubject"]["statusPurpose"] == "revocation"
    assert content["proof"][0]["verificationMethod"].startswith(content["issuer"])


async def test_a_list_is_signed_once_for_each_change(server: Server) -> None:
    credential = await server.badge()
    assert credential.status_list_id is not None
    lists = await asyncio.gather(*(server.statuses.status_list(credential.status_list_id) for _ in range(50)))
    assert len({id(found) for found in lists}) == 1
    await revoke(server, credential)
    after = await server.statuses.status_list(credential.status_list_id)
    assert after.version > lists[0].version
    assert after.content != lists[0].content


async def test_no_revocation_is_lost_among_many_at_once(server: Server) -> None:
    await server.issuer()
    named = str((await server.achievement()).id)
    credentials = [await server.issue(achievement=named) for _ in range(40)]
    assert credentials[0].status_list_id is not None
    reader = [server.statuses.status_list(credentials[0].status_list_id) for _ in range(40)]
    await asyncio.gather(*(revoke(server, credential) for credential in credentials), *reader)
    assert [await bit(server, credential) for credential in credentials] == [1] * 40


async def test_a_revocation_is_final(server: Server) -> None:
    credential = await server.badge()
    await revoke(server, credential)
    with pytest.raises(Conflict):
        await server.statuses.change(OWNER, credential.id, CredentialStatus.ACTIVE)


async def test_to_revoke_twice_keeps_the_first_reason(server: Server) -> None:
    credential = await server.badge()
    first = await revoke(server, credential)
    assert await revoke(server, credential, "Another reason") == first


async def test_an_active_badge_stays_as_it_is(server: Server) -> None:
    credential = await server.badge()
    assert await server.statuses.change(OWNER, credential.id, CredentialStatus.ACTIVE) == credential


async def test_a_list_is_a_token_for_whoever_wants_one(server: Server) -> None:
    credential = await server.badge()
    await revoke(server, credential)
    assert credential.status_list_id is not None
    signed = await server.statuses.status_list(credential.status_list_id, format=CredentialFormat.VC_JWT)
    token = vc_jwt.decode(signed.content.decode())
    assert vc_jwt.check_claims(token) == []
    assert token.expires == server.now.replace(microsecond=0) + VALID_FOR
    report = await verify(server, credential.signed, site=Site(server, lists=CredentialFormat.VC_JWT))
    assert (report.valid, report.problems()) == (False, [Problem.REVOKED])


async def test_a_list_ends_and_is_signed_anew_long_before(server: Server) -> None:
    credential = await server.badge()
    assert credential.status_list_id is not None
    first = await server.statuses.status_list(credential.status_list_id)
    end = server.now.replace(microsecond=0) + VALID_FOR
    assert json.loads(first.content)["validUntil"] == format_timestamp(end)
    server.now += VALID_FOR / 2 - timedelta(seconds=1)
    assert await server.statuses.status_list(credential.status_list_id) is first
    server.now += timedelta(seconds=1)
    later = await server.statuses.status_list(credential.status_list_id)
    assert json.loads(later.content)["validUntil"] == format_timestamp(server.now.replace(microsecond=0) + VALID_FOR)


async def test_a_list_from_a_clock_that_was_ahead_is_signed_anew_when_the_clock_is_set_back(server: Server) -> None:
    credential = await server.badge()
    assert credential.status_list_id is not None
    server.now += timedelta(hours=1)
    await server.statuses.status_list(credential.status_list_id)
    server.now -= timedelta(hours=1)
    report = await verify(server, credential.signed)
    assert report.valid is True, failures(report)


async def test_a_list_is_signed_anew_when_the_issuers_key_changes(server: Server) -> None:
    credential = await server.badge()
    assert credential.status_list_id is not None
    first = await server.statuses.status_list(credential.status_list_id)
    async with server.database.maintenance(writes=True) as session:
        await session.run("UPDATE signing_keys SET state = 'retired'")
    server.key_ring.forget(credential.issuer_id)
    later = await server.statuses.status_list(credential.status_list_id)
    (method,) = {json.loads(signed.content)["proof"][0]["verificationMethod"] for signed in (first, later)} - {
        json.loads(first.content)["proof"][0]["verificationMethod"]
    }
    assert method.startswith(f"{BASE}/v3/issuers/")
    assert (await verify(server, credential.signed)).valid is True


async def test_an_old_copy_of_a_list_clears_nobody_once_it_has_ended(server: Server) -> None:
    credential = await server.badge()
    assert credential.status_list_id is not None
    old = await server.statuses.status_list(credential.status_list_id)
    await revoke(server, credential)
    url = f"{BASE}/v3/status-lists/{credential.status_list_id}"
    site = Site(server, replayed={url: old.content})
    server.now += VALID_FOR - timedelta(minutes=1)
    assert (await verify(server, credential.signed, site=site)).valid is True
    server.now += timedelta(minutes=2)
    report = await verify(server, credential.signed, site=site)
    assert (report.valid, report.problems()) == (None, [Problem.STATUS_LIST_INVALID])


@pytest.mark.parametrize("reason", ["", "a\x00", "a" * 10_001])
async def test_a_reason_says_something(server: Server, reason: str) -> None:
    credential = await server.badge()
    with pytest.raises(InvalidInput):
        await revoke(server, credential, reason)


async def test_only_its_own_organisation_revokes_a_badge(server: Server) -> None:
    credential = await server.badge()
    with pytest.raises(NotFound):
        await server.statuses.change(await server.stranger(), credential.id, CredentialStatus.REVOKED)
    with pytest.raises(Forbidden):
        await server.statuses.change(principal(Role.VIEWER), credential.id, CredentialStatus.REVOKED)
    assert (await server.credentials.get(credential.id)).status is CredentialStatus.ACTIVE


async def test_an_unknown_list_is_not_found(server: Server) -> None:
    with pytest.raises(NotFound):
        await server.statuses.status_list(server.new_id())


async def test_a_full_list_is_followed_by_another(server: Server) -> None:
    issuer = await server.issuer()
    entries = await server.allocation.take(issuer, 131_072 - 5, suspendable=False)
    assert len({entry.list_id for entry in entries}) == 1
    more = await server.allocation.take(issuer, 10, suspendable=False)
    assert len({entry.list_id for entry in (*entries, *more)}) == 2
    assert len({(entry.list_id, entry.status_index) for entry in (*entries, *more)}) == 131_072 + 5


async def test_a_busy_issuer_reserves_more_at_a_time_and_no_entry_twice(server: Server) -> None:
    issuer = await server.issuer()

    async def taken(number: int) -> list[AllocatedEntry]:
        return [(await server.allocation.take(issuer, suspendable=False))[0] for _ in range(number)]

    async def reserved() -> int:
        found = await server.database.read().status_lists.find(entries[0].list_id)
        return found.allocated if found else 0

    entries = await taken(BLOCK)
    assert await reserved() == BLOCK
    entries += await taken(1)
    assert await reserved() == 5 * BLOCK, "the first was used up in no time"
    entries += await taken(4 * BLOCK - 1)
    server.now += timedelta(seconds=2)
    entries += await taken(1)
    assert await reserved() == 6 * BLOCK, "calm again"
    assert len({entry.status_index for entry in entries}) == 5 * BLOCK + 1
