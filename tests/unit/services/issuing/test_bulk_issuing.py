"""A list of awards issued: each row once, whoever begins it again."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest

from lapel.domain.access import Role
from lapel.domain.achievement import Achievement
from lapel.domain.credential import Credential, CredentialStatus
from lapel.errors import Forbidden, NotFound
from lapel.services.issuing.bulk_issuing import Row, key_of_id, key_of_position
from lapel.services.requests import AchievementChanges
from tests.unit.services.server import OWNER, Server, award, principal, read


class Scene:
    def __init__(self, server: Server, achievement: Achievement) -> None:
        self.server = server
        self.achievement = achievement
        self.bulk = server.bulk_issuing

    def row(self, number: int, **members: object) -> Row:
        recipient = {"type": "email", "identity": f"s{number}@example.org"}
        request = award(achievement=str(self.achievement.id), **{"recipient": recipient, **members})
        return Row(key_of_position(self.achievement.id, b"digest", number), request)

    def rows(self, *numbers: int) -> list[Row]:
        return [self.row(number) for number in numbers]

    async def issue(self, rows: list[Row]) -> list[tuple[UUID | None, bool, str]]:
        outcomes = await self.bulk.issue(OWNER, self.achievement.id, rows)
        return [
            (
                found.credential.id if found.credential else None,
                found.is_new,
                "; ".join(each.code for each in found.problems),
            )
            for found in outcomes
        ]

    async def stored(self) -> list[Credential]:
        stream = self.server.database.read().credentials.stream(OWNER.organisation_id)
        return [credential async for credential in stream]


@pytest.fixture
async def scene(server: Server) -> Scene:
    await server.issuer()
    return Scene(server, await server.achievement())


async def test_every_row_gets_a_credential_of_its_own(scene: Scene) -> None:
    outcomes = await scene.issue(scene.rows(1, 2, 3))

    stored = await scene.stored()
    assert outcomes == [(credential.id, True, "") for credential in stored]
    keyed = [scene.server.issue_keys.keyed(row.key) for row in scene.rows(1, 2, 3)]
    assert [credential.issue_key for credential in stored] == keyed
    assert len({credential.status_index for credential in stored}) == 3
    assert all("proof" in json.loads(credential.signed) for credential in stored)


async def test_a_row_that_was_issued_is_found_and_not_issued_again(scene: Scene) -> None:
    first = await scene.issue(scene.rows(1, 2))
    again = await scene.issue(scene.rows(2, 3, 1))

    assert [(credential, is_new) for credential, is_new, _ in again] == [
        (first[1][0], False),
        ((await scene.stored())[-1].id, True),
        (first[0][0], False),
    ]
    assert len(await scene.stored()) == 3


async def test_two_that_issue_the_same_list_at_once_issue_each_row_once(scene: Scene) -> None:
    rows = scene.rows(*range(40))
    one, other = await asyncio.gather(scene.issue(rows), scene.issue(rows))

    stored = [credential.id for credential in await scene.stored()]
    assert len(stored) == 40
    assert [credential for credential, *_ in one] == [credential for credential, *_ in other]
    assert {credential for credential, *_ in one} == set(stored)
    assert sum(is_new for _, is_new, _ in [*one, *other]) == 40


async def test_rows_that_are_wrong_are_left_out_and_the_others_issued(scene: Scene) -> None:
    rows = [
        scene.row(1),
        scene.row(2, recipient={"type": "email", "identity": "nobody"}),
        scene.row(3, validUntil="2020-01-01T00:00:00Z"),
        scene.row(4, narrative="1e-9" + "x" * 200_000),
        scene.row(5),
    ]
    outcomes = await scene.issue(rows)

    assert [problem for *_, problem in outcomes] == ["", "bad_identity", "bad_time", "bad_text", ""]
    assert [credential for credential, *_ in outcomes if credential] == [one.id for one in await scene.stored()]


async def test_what_cannot_be_signed_is_a_problem_of_its_row_alone(scene: Scene) -> None:
    evidence = [{"narrative": f"{number}" + "x" * 99_000} for number in range(30)]
    outcomes = await scene.issue([scene.row(1), scene.row(2, evidence=evidence), scene.row(3)])
    assert [problem for *_, problem in outcomes] == ["", "too_large", ""]


async def test_an_id_of_another_recipient_is_refused(scene: Scene) -> None:
    key = key_of_id(scene.achievement.id, "17")
    await scene.issue([Row(key, scene.row(1).request)])

    again = await scene.issue([Row(key, scene.row(1).request), scene.row(2)])
    other = await scene.issue([Row(key, scene.row(2).request)])

    assert [problem for *_, problem in [*again, *other]] == ["", "", "id_taken"]
    assert len(await scene.stored()) == 2


async def test_of_two_recipients_under_one_id_at_once_one_is_refused(scene: Scene) -> None:
    key = key_of_id(scene.achievement.id, "17")
    one, other = await asyncio.gather(
        scene.issue([Row(key, scene.row(1).request)]), scene.issue([Row(key, scene.row(2).request)])
    )

    (stored,) = await scene.stored()
    assert sorted([*one, *other], key=str) == sorted([(stored.id, True, ""), (None, False, "id_taken")], key=str)


async def test_what_can_be_suspended_stands_in_a_list_for_that(server: Server) -> None:
    await server.issuer()
    scene = Scene(server, await server.achievement(suspendable=True))
    await scene.issue(scene.rows(1, 2))

    stored = await scene.stored()
    assert len(stored) == 2
    for credential in stored:
        entry = json.loads(credential.signed)["credentialStatus"]
        assert credential.status_list_id is not None
        status_list = await server.database.read().status_lists.find(credential.status_list_id)
        assert status_list is not None
        assert entry["statusPurpose"] == status_list.purpose == "suspension"
    suspended = await server.statuses.change(OWNER, stored[0].id, CredentialStatus.SUSPENDED)
    assert suspended.status is CredentialStatus.SUSPENDED


async def test_looking_stores_nothing_and_shows_what_would_be_signed(scene: Scene) -> None:
    await scene.issue(scene.rows(1))
    wrong = scene.row(4, recipient={"type": "email", "identity": "nobody"})
    outcomes = await scene.bulk.preview(OWNER, scene.achievement.id, [*scene.rows(1, 2, 3), wrong], drafts=1)

    assert [bool(found.credential) for found in outcomes] == [True, False, False, False]
    assert [bool(found.draft) for found in outcomes] == [False, True, False, False]
    assert [bool(found.problems) for found in outcomes] == [False, False, False, True]
    assert outcomes[1].draft is not None
    assert outcomes[1].draft["validFrom"] == "2026-06-01T12:00:00Z"
    assert "proof" not in outcomes[1].draft
    assert len(await scene.stored()) == 1


async def test_only_the_organisations_own_achievements_can_be_issued(scene: Scene) -> None:
    stranger = await scene.server.stranger()
    for who, named in ((stranger, str(scene.achievement.id)), (OWNER, "nothing"), (OWNER, str(UUID(int=1)))):
        with pytest.raises(NotFound):
            await scene.bulk.achievement(who, named)
    with pytest.raises(NotFound):
        await scene.bulk.issue(stranger, scene.achievement.id, scene.rows(1))
    with pytest.raises(Forbidden):
        await scene.bulk.issue(principal(Role.VIEWER), scene.achievement.id, scene.rows(1))
    address = scene.server.addresses.achievement(scene.achievement.id)
    assert await scene.bulk.achievement(OWNER, address) == scene.achievement


async def test_a_row_is_another_one_for_another_achievement() -> None:
    one, other = UUID(int=1), UUID(int=2)
    keys = [key_of_id(one, "7"), key_of_id(other, "7"), key_of_id(one, "8")]
    keys += [key_of_position(one, b"d", 7), key_of_position(other, b"d", 7), key_of_position(one, b"e", 7)]
    keys += [key_of_position(one, b"d", 8)]
    assert len(set(keys)) == len(keys)


async def test_the_place_of_a_row_sorts_as_the_rows_do() -> None:
    keys = [key_of_position(UUID(int=1), b"d", number) for number in (1, 2, 255, 256, 65_536)]
    assert keys == sorted(keys)


async def test_a_new_version_of_the_achievement_is_taken_from_then_on(scene: Scene) -> None:
    await scene.issue(scene.rows(1))
    await scene.server.achievements.change(OWNER, scene.achievement.id, read(AchievementChanges, {"name": "Bends"}))
    await scene.issue(scene.rows(1, 2))
    assert [credential.achievement_version for credential in await scene.stored()] == [1, 2]
