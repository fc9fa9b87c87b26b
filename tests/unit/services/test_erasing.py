"""What is known of a recipient goes, for ever; that a credential was issued, and is revoked, stays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from lapel.cli.running import OPERATOR
from lapel.credentials.key_storage.master_key import MasterKey
from lapel.database.conformance.isolation import SHORT_WAIT
from lapel.database.interface import Database, DatabaseSettings
from lapel.domain.access import Role
from lapel.domain.audit import Action
from lapel.domain.credential import Credential, CredentialErased, CredentialStatus
from lapel.domain.listing import CredentialFilter
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Forbidden, InvalidInput, LapelError, NotFound, Unavailable
from lapel.maintenance.checking import check
from lapel.openbadges import syntax
from lapel.services.issue_keys import IssueKeys
from lapel.services.issuing.bulk_issuing import BulkIssuing, Row, key_of_id
from lapel.services.requests import ErasedIdentity, NewEndorsement
from tests.support.databases import opened
from tests.unit.services.server import MASTER_KEY, OWNER, Server, award, principal, read
from tests.unit.services.site import bit, verify

ADA = ErasedIdentity(type="email", identity="Ada@Example.org")


@pytest.fixture
async def server(database: Database) -> Server:
    return Server(database)


async def issued(server: Server, *recipients: str) -> list[Credential]:
    await server.issuer()
    achievement = str((await server.achievement()).id)
    return [
        await server.issue(achievement=achievement, recipient={"type": "email", "identity": one, "hashed": False})
        for one in recipients
    ]


async def erased(server: Server) -> Sequence[UUID]:
    page = await server.audit_log.page(OWNER, action=Action.CREDENTIAL_ERASED, limit=100)
    return [entry.entity_id for entry in page.items if entry.entity_id is not None]


async def test_every_credential_of_an_identity_goes_and_nobody_elses(server: Server) -> None:
    ada, bob, again = await issued(server, "ada@example.org", "bob@example.org", "ADA@example.org")

    assert set(await server.erasing.erase_recipient(OWNER, ADA)) == {ada.id, again.id}

    for credential in (ada, again):
        left = await server.database.read().credentials.find(credential.id)
        assert left is not None
        assert (left.signed, left.recipient_lookup, left.status_reason) == (b"", b"", None)
        assert (left.status, left.erased_at) == (CredentialStatus.REVOKED, server.now)
        assert left.status_position == credential.status_position
        assert await bit(server, credential) == 1
    assert await server.credentials.get(bob.id) == bob
    assert await bit(server, bob) == 0
    assert set(await erased(server)) == {ada.id, again.id}
    assert list(await server.erasing.erase_recipient(OWNER, ADA)) == []


async def test_an_address_from_before_invisible_characters_were_refused_is_found_and_erased(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(syntax, "_INVISIBLE", lambda _: None)
        (old,) = await issued(server, "ada\u200b@example.org")

    lookup = server.credentials.recipient_lookup("ada\u200b@example.org")
    page = await server.credentials.page(OWNER, CredentialFilter(recipient_lookup=lookup))
    assert [credential.id for credential in page.items] == [old.id]
    request = ErasedIdentity(type="email", identity="ada\u200b@example.org")
    assert list(await server.erasing.erase_recipient(OWNER, request)) == [old.id]


async def test_of_what_is_erased_every_form_is_gone(server: Server) -> None:
    (ada,) = await issued(server, "ada@example.org")
    await server.signed_assertions.get(ada.id)
    await server.erasing.erase_credential(OWNER, ada.id)
    for form in (
        server.credentials.get,
        server.renditions.v2_assertion,
        server.renditions.baked_image,
        server.renditions.v2_baked_image,
        server.signed_assertions.get,
    ):
        with pytest.raises(CredentialErased):
            await form(ada.id)
    with pytest.raises(CredentialErased):
        await server.erasing.erase_credential(OWNER, ada.id)
    with pytest.raises(CredentialErased):
        await server.statuses.change(OWNER, ada.id, CredentialStatus.ACTIVE)
    with pytest.raises(CredentialErased):
        await server.statuses.change(OWNER, ada.id, CredentialStatus.REVOKED, "Again.")
    (told,) = (await server.credentials.page(OWNER)).items
    assert told.id == ada.id


async def test_a_copy_elsewhere_is_genuine_and_revoked(server: Server) -> None:
    (ada,) = await issued(server, "ada@example.org")
    assert (await verify(server, ada.signed)).valid is True
    await server.erasing.erase_credential(OWNER, ada.id)
    report = await verify(server, ada.signed)
    assert report.valid is False
    outcomes = {check.code.value: check.outcome.value for check in report.checks}
    assert (outcomes["proof"], outcomes["status"]) == ("pass", "fail"), outcomes


async def test_it_holds_no_status_list_while_it_waits_for_a_change_of_a_credential(server: Server) -> None:
    credentials = await issued(server, *["ada@example.org"] * 3)
    one = credentials[1]
    async with server.database.transaction() as tx:
        await tx.credentials.find_many([one.id], lock=True)
        erasing = asyncio.create_task(server.erasing.erase_recipient(OWNER, ADA))
        await asyncio.wait([erasing], timeout=SHORT_WAIT)
        await tx.credentials.change_status(
            [one.id], status=CredentialStatus.REVOKED, reason=None, changed_at=server.now
        )

    assert set(await erasing) == {each.id for each in credentials}
    assert server.database.metrics.transactions["retried"] == 0


async def test_endorsements_of_what_is_erased_go_with_it(server: Server) -> None:
    (ada,) = await issued(server, "ada@example.org")
    about_ada = await endorsement(server, ada)
    about_that = await endorsement(server, about_ada)
    other = await server.issue(achievement=str(ada.achievement_id))

    assert set(await server.erasing.erase_credential(OWNER, ada.id)) == {ada.id, about_ada.id, about_that.id}
    assert await server.credentials.get(other.id) == other
    with pytest.raises(InvalidInput):
        await endorsement(server, ada)


async def test_what_is_erased_while_its_endorsement_is_signed_is_not_endorsed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.badge()
    secure = server.securing.secure

    async def secured_late(*given: Any, **named: Any) -> bytes:
        await server.erasing.erase_credential(OWNER, ada.id)
        return await secure(*given, **named)

    monkeypatch.setattr(server.securing, "secure", secured_late)
    with pytest.raises(InvalidInput, match="not the id of anything here that can be endorsed"):
        await endorsement(server, ada)
    left = await server.database.read().credentials.page(DEFAULT_ORGANISATION_ID, before=None, limit=9)
    assert [one.id for one in left] == [ada.id]


async def test_by_no_other_spelling_of_its_address_is_anything_endorsed_where_erasing_would_miss_it(
    server: Server,
) -> None:
    ada = await server.badge()
    address, collection = server.addresses.credential(ada.id), server.addresses.credential(ada.id).rpartition("/")[0]
    others = {
        f"{collection}/{str(ada.id).upper()}",
        f"{collection}/urn:uuid:{ada.id}",
        address.replace("http", "HTTP", 1),
        address.replace("/v3/", "//v3/"),
    }

    assert address not in others
    for other in others:
        with pytest.raises(InvalidInput, match="not the id of anything here that can be endorsed"):
            await endorsement(server, other)


async def endorsement(server: Server, endorsed: Credential | str) -> Credential:
    address = endorsed if isinstance(endorsed, str) else server.addresses.credential(endorsed.id)
    request = read(NewEndorsement, {"endorsed": address, "comment": "Ada did that well."})
    return await server.endorsing.issue(OWNER, request)


async def test_an_old_list_does_not_issue_it_again(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    bulk = server.bulk_issuing
    request = award(achievement=str(achievement.id), recipient={"type": "email", "identity": "ada@example.org"})
    rows = [Row(key=key_of_id(achievement.id, "1"), request=request)]
    await bulk.issue(OPERATOR, achievement.id, rows)
    await server.erasing.erase_recipient(OWNER, ADA)

    (outcome,) = await bulk.issue(OPERATOR, achievement.id, rows)

    assert (outcome.credential, [problem.code for problem in outcome.problems]) == (None, ["erased"])


async def test_endorsements_go_first_in_steps_and_a_crash_is_resumed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lapel.services.erasing._STEP_SIZE", 3)
    (ada,) = await issued(server, "ada@example.org")
    endorsements = [await endorsement(server, ada) for _ in range(7)]
    above = await endorsement(server, endorsements[0])
    run, runs, forgotten = server.database.run, list[int](), list[str]()

    class Kept:
        def forget(self) -> None:
            forgotten.append("forgotten")

    async def crashing(*given: Any, **named: Any) -> Any:
        runs.append(len(await erased(server)))
        if len(runs) == 3:
            raise Unavailable
        return await run(*given, **named)

    async def scrub() -> None:
        forgotten.append("scrubbed")

    server.erasing.forget_in(Kept())
    monkeypatch.setattr(server.database, "scrub", scrub)
    monkeypatch.setattr(server.database, "run", crashing)
    with pytest.raises(Unavailable):
        await server.erasing.erase_credential(OWNER, ada.id)
    assert forgotten == ["forgotten", "scrubbed"]
    assert 0 < len(await erased(server)) < 8
    assert await server.credentials.get(ada.id) == ada

    rest = await server.erasing.erase_credential(OWNER, ada.id)

    assert rest[-1] == ada.id
    everything = {ada.id, above.id, *(one.id for one in endorsements)}
    order = list(reversed(await erased(server)))
    assert sorted(order) == sorted(everything)
    assert order.index(above.id) < order.index(endorsements[0].id)
    assert max(after - before for before, after in pairwise(runs)) <= 3


async def test_more_than_are_erased_in_a_step_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lapel.services.erasing._STEP_SIZE", 2)
    credentials = await issued(server, *["ada@example.org"] * 5)
    endorsements = [await endorsement(server, credentials[1]) for _ in range(5)]
    done = await server.erasing.erase_recipient(OWNER, ADA)
    assert sorted(done) == sorted(one.id for one in credentials + endorsements)


@pytest.mark.parametrize("before_the_upgrade", [False, True])
async def test_what_keeps_a_row_from_being_issued_again_tells_nobody_whose_it_was(
    server: Server, before_the_upgrade: bool
) -> None:
    await server.issuer()
    achievement = await server.achievement()
    request = award(achievement=str(achievement.id), recipient={"type": "email", "identity": "ada@example.org"})
    rows = [Row(key=key_of_id(achievement.id, "ada@example.org"), request=request)]
    issuing = server.bulk_issuing
    if before_the_upgrade:
        issuing = BulkIssuing(
            store=server.database, clock=lambda: server.now, issuing=server.issuing, issue_keys=Unkeyed(MASTER_KEY)
        )
    (first,) = await issuing.issue(OPERATOR, achievement.id, rows)
    (again,) = await server.bulk_issuing.issue(OPERATOR, achievement.id, rows)
    assert first.credential is not None
    assert again.credential is not None
    assert (again.credential.id, again.is_new) == (first.credential.id, False)
    assert (first.credential.issue_key == rows[0].key) is before_the_upgrade

    await server.erasing.erase_recipient(OWNER, ADA)

    left = await server.database.read().credentials.find(first.credential.id)
    assert left is not None
    assert left.issue_key == server.issue_keys.keyed(rows[0].key) != rows[0].key
    assert IssueKeys(MasterKey.generate()).keyed(rows[0].key) != left.issue_key
    (outcome,) = await server.bulk_issuing.issue(OPERATOR, achievement.id, rows)
    assert [problem.code for problem in outcome.problems] == ["erased"]


class Unkeyed(IssueKeys):
    """As keys were kept before they were keyed."""

    def keyed(self, digest: bytes) -> bytes:
        return digest


async def test_two_who_erase_the_same_at_once_do_it_once(server: Server) -> None:
    credentials = await issued(server, *["ada@example.org"] * 8)

    outcomes = await asyncio.gather(*(server.erasing.erase_recipient(OWNER, ADA) for _ in range(4)))

    done = [one for outcome in outcomes for one in outcome]
    assert sorted(done) == sorted(credential.id for credential in credentials)
    assert sorted(await erased(server)) == sorted(done)


@pytest.mark.parametrize("revoker_first", [True, False])
async def test_a_revocation_at_the_same_moment_leaves_it_erased(server: Server, revoker_first: bool) -> None:
    credentials = await issued(server, *["ada@example.org"] * 6)
    revoking = [
        server.statuses.change(OWNER, credential.id, CredentialStatus.REVOKED, "Ada left.")
        for credential in credentials
    ]
    erasing = [server.erasing.erase_recipient(OWNER, ADA)]
    work: list[Any] = [*revoking, *erasing] if revoker_first else [*erasing, *revoking]

    outcomes = await asyncio.gather(*work, return_exceptions=True)

    assert all(not isinstance(one, BaseException) or isinstance(one, CredentialErased) for one in outcomes)
    for credential in credentials:
        left = await server.database.read().credentials.find(credential.id)
        assert left is not None
        assert (left.erased_at, left.status_reason, left.signed) == (server.now, None, b"")
        assert await bit(server, credential) == 1


async def test_who_may_not_erase_erases_nothing(server: Server) -> None:
    (ada,) = await issued(server, "ada@example.org")
    for role in (Role.ISSUER, Role.VIEWER):
        with pytest.raises(Forbidden):
            await server.erasing.erase_recipient(principal(role), ADA)
        with pytest.raises(Forbidden):
            await server.erasing.erase_credential(principal(role), ada.id)
    stranger = await server.stranger()
    assert list(await server.erasing.erase_recipient(stranger, ADA)) == []
    with pytest.raises(NotFound):
        await server.erasing.erase_credential(stranger, ada.id)
    with pytest.raises(NotFound):
        await server.erasing.erase_credential(OWNER, server.new_id())
    with pytest.raises(InvalidInput):
        await server.erasing.erase_recipient(OWNER, ErasedIdentity(type="email", identity="nobody"))
    assert await server.credentials.get(ada.id) == ada


async def test_one_that_fails_half_way_has_erased_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = await issued(server, *["ada@example.org"] * 3)

    async def fail(*_: object) -> None:
        raise LapelError

    monkeypatch.setattr("lapel.database.repositories.server_facts.SqlServerFactRepository.put_if_absent", fail)
    with pytest.raises(LapelError):
        await server.erasing.erase_recipient(OWNER, ADA)
    for credential in credentials:
        assert await server.credentials.get(credential.id) == credential
    assert await erased(server) == []


async def test_a_database_with_erased_credentials_is_as_it_should_be(server: Server) -> None:
    await issued(server, "ada@example.org", "ada@example.org", "bob@example.org")
    await server.erasing.erase_recipient(OWNER, ADA)
    assert [finding async for finding in check(server.database)] == []


async def test_in_sqlite_no_file_holds_it_any_more(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        server = Server(database)
        kept, *_ = await issued(server, "bob@example.org", *["ada@example.org"] * 30)

        def files_with(text: bytes) -> list[str]:
            return [path.name for path in tmp_path.iterdir() if text in path.read_bytes()]

        assert files_with(b"ada@example.org")
        await server.erasing.erase_recipient(OWNER, ADA)
        assert files_with(b"ada@example.org") == []
        assert files_with(b"bob@example.org")
        assert await server.credentials.get(kept.id) == kept
