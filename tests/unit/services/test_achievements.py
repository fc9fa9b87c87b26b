"""Achievements and their versions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lapel.domain.access import Role
from lapel.errors import Forbidden, InvalidInput, NotFound, PreconditionFailed
from lapel.services.requests import AchievementChanges
from tests.support.badge_images import png
from tests.unit.services.full_badge import EVERYTHING
from tests.unit.services.server import BASE, OWNER, Server, principal, read


def changes(**members: Any) -> AchievementChanges:
    found: AchievementChanges = read(AchievementChanges, members)
    return found


def problems(error: pytest.ExceptionInfo[InvalidInput]) -> dict[str, str]:
    return {found.pointer: found.code for found in error.value.errors}


async def test_a_new_achievement_is_found_again_with_every_member(server: Server) -> None:
    issuer = await server.issuer()
    achievement = await server.achievement(issuer=f"{BASE}/v3/issuers/{issuer.id}", **EVERYTHING)
    assert await server.achievements.get(achievement.id) == achievement
    document: Any = await server.achievements.document(achievement.id)
    assert document["id"] == f"{BASE}/v3/achievements/{achievement.id}"
    assert document["tag"] == ["rope", "ropes"]
    assert document["alignment"][0]["type"] == ["Alignment"]
    assert document["image"] == {"id": f"{document['id']}/image", "type": "Image"}


async def test_names_of_any_script_and_length_are_kept(server: Server) -> None:
    await server.issuer()
    for name in ("航海結び目", "עקדה", "🏴‍☠️ knots", "ñ" * 10_000):
        achievement = await server.achievement(name=name, description="é" * 100_000)
        assert (await server.achievements.get(achievement.id)).name == name


async def test_all_problems_are_named_at_once(server: Server) -> None:
    with pytest.raises(InvalidInput) as caught:
        await server.achievement(
            name=" ",
            description="a" * 100_001,
            criteria={},
            achievementType="Party",
            tag=["a", "a"],
            inLanguage="english",
            creditsAvailable=1e-9,
            related=[{"id": "x"}],
            otherIdentifier=[{"identifier": "a", "identifierType": "nickname"}],
        )
    assert problems(caught) == {
        "/issuer": "missing",
        "/name": "empty",
        "/description": "bad_text",
        "/criteria": "missing",
        "/achievementType": "not_allowed",
        "/tag/1": "repeated",
        "/inLanguage": "bad_language",
        "/creditsAvailable": "bad_number",
        "/related/0/id": "bad_iri",
        "/otherIdentifier/0/identifierType": "not_allowed",
    }


async def test_the_issuer_must_be_named_where_there_are_several(server: Server) -> None:
    first = await server.issuer()
    assert (await server.achievement()).issuer_id == first.id
    await server.issuer(name="Second")
    with pytest.raises(InvalidInput) as caught:
        await server.achievement()
    assert problems(caught) == {"/issuer": "missing"}


@pytest.mark.parametrize("named", ["018f0000-0000-7000-8000-000000000001", "nobody", ""])
async def test_an_unknown_issuer_is_a_problem(server: Server, named: str) -> None:
    await server.issuer()
    with pytest.raises(InvalidInput) as caught:
        await server.achievement(issuer=named)
    assert set(problems(caught)) == {"/issuer"}


async def test_another_organisations_issuer_is_unknown(server: Server) -> None:
    issuer = await server.issuer()
    with pytest.raises(InvalidInput):
        await server.achievement(await server.stranger(), issuer=str(issuer.id))


async def test_a_change_is_a_new_version_and_the_old_one_stays(server: Server) -> None:
    await server.issuer()
    first = await server.achievement(**EVERYTHING)
    second = await server.achievements.change(
        OWNER, first.id, changes(name="More knots", tag=None, alignment=[], creditsAvailable=None)
    )
    assert second.version == 2
    assert (second.name, second.tags) == ("More knots", ())
    assert set(first.details) - set(second.details) == {"alignment", "creditsAvailable"}
    assert await server.achievements.get(first.id) == second
    assert await server.achievements.get(first.id, version=1) == first
    with pytest.raises(NotFound):
        await server.achievements.get(first.id, version=3)


async def test_changes_at_once_all_count(server: Server) -> None:
    await server.issuer()
    first = await server.achievement()
    members: list[dict[str, Any]] = [{"name": "New"}, {"humanCode": "K"}, {"version": "9"}, {"tag": ["rope"]}]
    await asyncio.gather(*(server.achievements.change(OWNER, first.id, changes(**item)) for item in members))
    changed = await server.achievements.get(first.id)
    assert (changed.version, changed.name, changed.tags) == (5, "New", ("rope",))
    assert changed.details == {"humanCode": "K", "version": "9"}


async def test_a_change_of_an_older_version_is_refused(server: Server) -> None:
    await server.issuer()
    first = await server.achievement()
    await server.achievements.change(OWNER, first.id, changes(name="New"), expected_version=1)
    with pytest.raises(PreconditionFailed):
        await server.achievements.change(OWNER, first.id, changes(name="Newer"), expected_version=1)


async def test_a_new_image_is_a_new_version(server: Server) -> None:
    await server.issuer()
    first = await server.achievement()
    second = await server.achievements.set_image(OWNER, first.id, png())
    assert (second.version, first.image_id) == (2, None)
    document: Any = await server.achievements.document(first.id)
    assert document["image"]["id"] == f"{BASE}/v3/images/{second.image_id}"
    assert (await server.achievements.change(OWNER, first.id, changes(image=None))).image_id is None


async def test_strangers_see_an_achievement_but_do_not_change_it(server: Server) -> None:
    issuer = await server.issuer()
    achievement = await server.achievement()
    stranger = await server.stranger()
    assert await server.achievements.get(achievement.id) == achievement
    with pytest.raises(NotFound):
        await server.achievements.change(stranger, achievement.id, changes(name="Mine"))
    with pytest.raises(NotFound):
        await server.achievements.set_image(stranger, achievement.id, png())
    assert (await server.achievements.page(stranger)).items == []
    assert (await server.achievements.page_of_issuer(issuer.id)).items == [achievement]


async def test_a_viewer_defines_nothing(server: Server) -> None:
    with pytest.raises(Forbidden):
        await server.achievement(principal(Role.VIEWER))


async def test_lists_narrow_to_an_issuer(server: Server) -> None:
    first, second = await server.issuer(), await server.issuer(name="Second")
    made = [await server.achievement(issuer=str(issuer.id)) for issuer in (first, second, first)]
    page = await server.achievements.page(OWNER, issuer_id=first.id)
    assert list(page.items) == [made[2], made[0]]
    assert len((await server.achievements.page(OWNER)).items) == 3
    with pytest.raises(NotFound):
        await server.achievements.page_of_issuer(made[0].id)
