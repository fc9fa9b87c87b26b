"""Two processes on one database: each with memory of its own, and neither waits for the other to hear of anything."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lapel.credentials import bitstring_status_list
from lapel.database.interface import DatabaseSettings
from lapel.domain.achievement import Achievement
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.signing_key import KeyAlgorithm, KeyState
from lapel.errors import InvalidInput, LapelError, NotFound, PreconditionFailed
from lapel.services.issuing.bulk_issuing import Row, key_of_id
from lapel.services.requests import AchievementChanges, Replacement
from tests.support.databases import opened, settings_for
from tests.unit.services.keys.test_signing_keys import method_of
from tests.unit.services.server import NOW, OWNER, Server, award, read
from tests.unit.services.site import failures, verify


class Two(NamedTuple):
    one: Server
    other: Server


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, DatabaseSettings]:
    """A database that several processes can open."""
    dsn = request.getfixturevalue("migrated_postgres_dsn") if request.param == "postgresql" else None
    return settings_for(request.param, folder=tmp_path, dsn=dsn)


@pytest.fixture
async def two(shared: tuple[str, DatabaseSettings]) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(opened(*shared)) for _ in range(2)]
        two = Two(Server(one), Server(other))
        await two.one.issuer()
        yield two


async def test_what_is_signed_before_all_have_heard_that_others_know_the_key_is_good(two: Two) -> None:
    achievement = str((await two.one.achievement()).id)
    before = await two.other.issue(achievement=achievement)
    (key,) = await two.one.key_ring.public_keys(before.issuer_id)

    compromised = await two.one.signing_keys.compromise(OWNER, key.issuer_id, key.id)
    two.other.now = NOW + timedelta(seconds=0.9)
    meanwhile = await two.other.issue(achievement=achievement)
    two.other.now = NOW + timedelta(seconds=1)
    after = await two.other.issue(achievement=achievement)

    methods = [method_of(badge.signed) for badge in (before, meanwhile, after)]
    assert methods[0] == methods[1] != methods[2]
    two.one.now = NOW + timedelta(hours=1)
    for badge in (before, meanwhile, after):
        report = await verify(two.one, badge.signed)
        assert report.valid, failures(report)
    assert compromised.compromised_at is not None
    assert compromised.compromised_at <= NOW + timedelta(seconds=2)


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.ED25519, KeyAlgorithm.P256])
async def test_one_key_is_active_whoever_is_first_or_rotates_at_the_same_moment(
    two: Two, algorithm: KeyAlgorithm
) -> None:
    issuer = await two.one.database.read().issuers.default()
    assert issuer is not None

    used = await asyncio.gather(*(each.key_ring.ensure(issuer, algorithm) for each in two * 5))
    assert len({each.key.id for each in used}) == 1

    rotated = await asyncio.gather(*(each.signing_keys.rotate(OWNER, issuer.id, algorithm) for each in two * 2))
    found = [key for key in await two.one.key_ring.public_keys(issuer.id) if key.algorithm is algorithm]
    assert Counter(key.state for key in found) == {KeyState.ACTIVE: 1, KeyState.RETIRED: len(rotated)}
    assert {key.id for key in found} == {used[0].key.id, *(key.id for key in rotated)}


async def test_of_changes_of_one_version_by_both_exactly_one_is_made(two: Two) -> None:
    achievement = await two.one.achievement()

    def change(server: Server, number: int) -> Awaitable[Achievement]:
        wanted = AchievementChanges(name=f"Changed {number}")
        return server.achievements.change(OWNER, achievement.id, wanted, expected_version=1)

    outcomes = await asyncio.gather(
        *(change(server, number) for number, server in enumerate(two * 4)), return_exceptions=True
    )

    (changed,) = [each for each in outcomes if isinstance(each, Achievement)]
    assert sum(isinstance(each, PreconditionFailed) for each in outcomes) == 7, outcomes
    async with two.other.database.transaction() as tx:
        assert await tx.achievements.get(achievement.id) == changed


async def test_a_revocation_by_one_stands_in_the_list_that_the_other_shows_next(two: Two) -> None:
    achievement = str((await two.one.achievement()).id)
    badge = await two.one.issue(achievement=achievement)
    assert badge.status_list_id is not None
    assert badge.status_index is not None
    for server in two:  # both have one signed
        await server.statuses.status_list(badge.status_list_id)

    await two.one.statuses.change(OWNER, badge.id, CredentialStatus.REVOKED)

    for server in two:
        shown = json.loads((await server.statuses.status_list(badge.status_list_id)).content)
        bits = bitstring_status_list.decode(shown["credentialSubject"]["encodedList"])
        assert bitstring_status_list.read(bits, badge.status_index)


ISSUED: dict[str, Callable[[Server, Achievement, Credential], Awaitable[object]]] = {
    "one": lambda server, achievement, _: server.issue(achievement=str(achievement.id)),
    "batch": lambda server, achievement, _: server.issue_many([award(achievement=str(achievement.id))] * 2),
    "replacement": lambda server, achievement, old: server.replacing.replace(
        OWNER, old.id, replacement(achievement=str(achievement.id))
    ),
}


def replacement(**members: Any) -> Replacement:
    given = {"recipient": {"type": "email", "identity": "ada@example.org"}}
    request: Replacement = read(Replacement, given | members)
    return request


@pytest.fixture
async def deleted(two: Two, monkeypatch: pytest.MonkeyPatch) -> Achievement:
    """An achievement that the other process deletes when this one has looked for it and is about to sign."""
    achievement, take = await two.one.achievement(name="Deleted"), two.one.allocation.take

    async def slow(*given: Any, **named: Any) -> object:
        if any(one.id == achievement.id for one in (await two.other.achievements.page(OWNER)).items):
            await two.other.achievements.delete(OWNER, achievement.id)
        return await take(*given, **named)

    monkeypatch.setattr(two.one.allocation, "take", slow)
    return achievement


@pytest.mark.parametrize("how", list(ISSUED))
async def test_an_achievement_that_is_deleted_meanwhile_is_a_problem_of_the_request(
    two: Two, deleted: Achievement, how: str
) -> None:
    old = await two.other.issue(achievement=str((await two.other.achievement()).id))

    with pytest.raises(InvalidInput) as caught:
        await ISSUED[how](two.one, deleted, old)

    assert {(each.pointer.rpartition("/")[2], each.code) for each in caught.value.errors} == {
        ("achievement", "not_found")
    }
    assert await two.one.database.read().credentials.get(old.id) == old


async def test_so_it_is_of_those_of_a_batch_that_name_it_and_the_others_are_issued(
    two: Two, deleted: Achievement
) -> None:
    stays = await two.one.achievement()
    requests = {f"/{number}": award(achievement=str(each.id)) for number, each in enumerate([stays, deleted, stays])}

    first, lost, last = await two.one.batches.issue_each(OWNER, requests)

    assert isinstance(lost, LapelError)
    assert [(each.pointer, each.code) for each in lost.errors] == [("/1/achievement", "not_found")]
    for each in (first, last):
        assert isinstance(each, Credential)
        assert await two.other.database.read().credentials.get(each.id) == each


async def test_rows_of_a_list_for_it_are_not_issued_and_that_is_told(two: Two, deleted: Achievement) -> None:
    row = Row(key_of_id(deleted.id, "s-1"), award(achievement=str(deleted.id)))
    with pytest.raises(NotFound, match=f"no achievement '{deleted.id}'"):
        await two.one.bulk_issuing.issue(OWNER, deleted.id, [row])
