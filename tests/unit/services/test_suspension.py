"""Suspension: a badge that does not count for now, and the two entries that tell of it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openbadgeslib.ob3 import OB3LdpVerifier, OB3VerificationError, OB3Verifier, check_credential_status

from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.errors import Conflict, NotFound
from lapel.services.renditions import AssertionRevoked, credential_content
from lapel.services.requests import AchievementChanges
from lapel.services.status import NotSuspendable
from lapel.services.verifying.report import Problem
from tests.unit.services.full_badge import STRICT
from tests.unit.services.server import BASE, OWNER, Server, award, read
from tests.unit.services.site import Site, bit, verify

ACTIVE, SUSPENDED, REVOKED = CredentialStatus.ACTIVE, CredentialStatus.SUSPENDED, CredentialStatus.REVOKED


async def suspendable(server: Server, **members: Any) -> Credential:
    await server.issuer()
    achievement = await server.achievement(suspendable=True)
    return await server.issue(achievement=str(achievement.id), **members)


async def suspend(server: Server, credential: Credential, reason: str | None = "Under review") -> Credential:
    return await server.statuses.change(OWNER, credential.id, SUSPENDED, reason)


async def test_a_badge_that_was_not_issued_as_suspendable_cannot_be_suspended(server: Server) -> None:
    credential = await server.badge()
    changes = read(AchievementChanges, {"suspendable": True})
    assert credential.achievement_id is not None
    await server.achievements.change(OWNER, credential.achievement_id, changes)
    with pytest.raises(NotSuspendable):
        await suspend(server, credential)
    later = await server.issue(achievement=str(credential.achievement_id))
    assert (await suspend(server, later)).status is SUSPENDED


async def test_a_suspended_badge_is_not_valid_until_it_is_reinstated(server: Server) -> None:
    credential = await suspendable(server)
    assert (await verify(server, credential.signed)).valid is True
    suspended = await suspend(server, credential)
    assert (suspended.status, suspended.status_reason) == (SUSPENDED, "Under review")
    assert suspended.signed == credential.signed
    report = await verify(server, credential.signed)
    assert (report.valid, report.problems()) == (False, [Problem.SUSPENDED])
    reinstated = await server.statuses.change(OWNER, credential.id, ACTIVE, "Cleared")
    assert (reinstated.status, reinstated.status_reason) == (ACTIVE, "Cleared")
    assert (await verify(server, credential.signed)).valid is True


@pytest.mark.parametrize("before", [ACTIVE, SUSPENDED])
async def test_a_suspendable_badge_that_is_revoked_is_said_to_be_revoked_and_stays_so(
    server: Server, before: CredentialStatus
) -> None:
    credential = await suspendable(server)
    await server.statuses.change(OWNER, credential.id, before)
    await server.statuses.change(OWNER, credential.id, REVOKED)
    report = await verify(server, credential.signed)
    assert (report.valid, report.problems()) == (False, [Problem.REVOKED])
    for status in (SUSPENDED, ACTIVE):
        with pytest.raises(Conflict, match="final"):
            await server.statuses.change(OWNER, credential.id, status)


async def test_a_suspendable_badge_has_two_entries_of_which_every_verifier_needs_one(server: Server) -> None:
    credential = await suspendable(server)
    listed = f"{BASE}/v3/status-lists/{credential.status_list_id}"
    assert json.loads(credential.signed)["credentialStatus"] == {
        "id": f"{listed}#{credential.status_index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "suspension",
        "statusListIndex": str(credential.status_index),
        "statusListCredential": listed,
        "statusReference": f"{listed}/revocations#{credential.status_index}",
    }
    neighbour = await server.issue(achievement=str(credential.achievement_id))
    other = await server.issue(achievement=str(credential.achievement_id))
    await suspend(server, credential)
    await server.statuses.change(OWNER, neighbour.id, REVOKED)
    assert [await bit(server, one) for one in (credential, neighbour, other)] == [1, 1, 0]
    assert [await bit(server, one, revocations=True) for one in (credential, neighbour, other)] == [0, 1, 0]


async def test_a_list_for_suspension_says_so_and_has_one_of_revocations_beside_it(server: Server) -> None:
    credential = await suspendable(server)
    plain = await server.issue(achievement=str((await server.achievement(name="Splices")).id))
    assert credential.status_list_id is not None
    assert plain.status_list_id is not None
    said = []
    for revocations in (False, True):
        signed = await server.statuses.status_list(credential.status_list_id, revocations=revocations)
        content = json.loads(signed.content)
        said.append((content["id"], content["credentialSubject"]["statusPurpose"]))
    listed = f"{BASE}/v3/status-lists/{credential.status_list_id}"
    assert said == [(listed, "suspension"), (f"{listed}/revocations", "revocation")]
    with pytest.raises(NotFound):
        await server.statuses.status_list(plain.status_list_id, revocations=True)


@pytest.mark.parametrize("secured", ["eddsa-rdfc-2022", "vc-jwt"])
async def test_the_json_schema_and_an_independent_library_accept_a_suspendable_badge(
    server: Server, secured: str, vectors: Path
) -> None:
    server.now = datetime.now(UTC)  # which the library asks for itself
    issuer = await server.issuer(identity="did:web")
    achievement = await server.achievement(suspendable=True)
    credential = await server.issue(achievement=str(achievement.id), format=secured)
    jsonschema.validate(credential_content(credential), json.loads((vectors / STRICT).read_text()))
    site, loop = Site(server, lists=CredentialFormat.VC_JWT), asyncio.get_running_loop()

    def download(url: str) -> bytes:
        return asyncio.run_coroutine_threadsafe(site.body(url), loop).result(30)

    def verified() -> str:
        if secured == "vc-jwt":
            verifier = OB3Verifier.for_issuer_did(str(issuer.did), download=download)
            badge = verifier.verify(credential.signed.decode())
        else:
            badge = OB3LdpVerifier.for_issuer_did(str(issuer.did)).verify(credential.signed, download=download)
        try:
            check_credential_status(badge, download, verify_list=True)
        except OB3VerificationError as error:
            return str(error)
        return "good"

    assert await asyncio.to_thread(verified) == "good"
    await suspend(server, credential)
    assert "'suspension' is set" in await asyncio.to_thread(verified)
    await server.statuses.change(OWNER, credential.id, ACTIVE)
    assert await asyncio.to_thread(verified) == "good"
    await server.statuses.change(OWNER, credential.id, REVOKED)
    assert "is set" in await asyncio.to_thread(verified)


async def test_a_batch_of_both_kinds_gets_entries_of_both(server: Server) -> None:
    await server.issuer()
    kinds = [await server.achievement(suspendable=suspendable) for suspendable in (False, True)]
    requests = [award(achievement=str(kinds[number % 2].id)) for number in range(20)]
    credentials = await server.issue_many(requests)
    lists = {(one.achievement_id, one.status_list_id) for one in credentials}
    assert len(lists) == 2
    assert len({(one.status_list_id, one.status_index) for one in credentials}) == 20
    for number, one in enumerate(credentials):
        said = json.loads(one.signed)["credentialStatus"]["statusPurpose"]
        assert one.status_list_id is not None
        stored = await server.database.read().status_lists.find(one.status_list_id)
        assert stored is not None
        assert said == stored.purpose == ("suspension" if number % 2 else "revocation")


async def test_many_suspensions_and_reinstatements_at_once_lose_nothing(server: Server) -> None:
    first = await suspendable(server)
    others = [await server.issue(achievement=str(first.achievement_id)) for _ in range(29)]
    credentials = [first, *others]

    async def swing(number: int, credential: Credential) -> None:
        """Ends suspended, active or revoked, after some turns."""
        for status in (SUSPENDED, ACTIVE, SUSPENDED, (SUSPENDED, ACTIVE, REVOKED)[number % 3]):
            await server.statuses.change(OWNER, credential.id, status, "Swings")

    readers = [bit(server, credential) for credential in credentials]
    await asyncio.gather(*(swing(number, one) for number, one in enumerate(credentials)), *readers)
    assert [await bit(server, one) for one in credentials] == [1, 0, 1] * 10
    assert [await bit(server, one, revocations=True) for one in credentials] == [0, 0, 1] * 10


@pytest.mark.parametrize(
    ("reason", "told"), [("Under review", "Under review"), (None, "Suspended for the time being.")]
)
async def test_a_suspended_assertion_is_gone_and_listed_until_it_is_reinstated(
    server: Server, reason: str | None, told: str
) -> None:
    credential = await suspendable(server)
    await suspend(server, credential, reason)
    with pytest.raises(AssertionRevoked) as caught:
        await server.renditions.v2_assertion(credential.id)
    assert (caught.value.document["revoked"], caught.value.document["revocationReason"]) == (True, told)
    with pytest.raises(AssertionRevoked):
        await server.renditions.v2_baked_image(credential.id)
    listed: Any = await server.renditions.v2_revocations(credential.issuer_id)
    named = f"{BASE}/v2/assertions/{credential.id}"
    assert listed["revokedAssertions"] == [{"id": named, "revocationReason": told}]
    await server.statuses.change(OWNER, credential.id, ACTIVE)
    assert (await server.renditions.v2_assertion(credential.id))["id"] == named
    listed = await server.renditions.v2_revocations(credential.issuer_id)
    assert listed["revokedAssertions"] == []
