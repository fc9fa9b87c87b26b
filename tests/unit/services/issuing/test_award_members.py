"""What few awards say is checked like the rest."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lapel.errors import InvalidInput
from tests.unit.services.full_badge import problems
from tests.unit.services.server import OWNER, Server, award


async def test_what_few_badges_say_is_checked_as_well(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    profile: dict[str, Any] = {"id": "https://a.example/"}
    for _ in range(7):
        profile = {"id": "https://a.example/", "parentOrg": profile}
    request = award(
        achievement=str(achievement.id),
        recipient={
            "type": "did",
            "identity": "did:key:z6Mk",
            "identifiers": [
                {"type": "shoeSize", "identity": "44"},
                {"type": "emailAddress", "identity": "ada"},
                {"type": "userName", "identity": "ada"},
                {"type": "userName", "identity": "ada"},
            ],
        },
        name=" ",
        awardedDate="2026-01-01T00:00:00",
        displayImage={"id": "card.png", "type": "Picture"},
        image="ftp://school.example/ada.png",
        refreshService={"id": "https://school.example/refresh", "type": "Refresh"},
        credentialSchema=[{"id": "https://school.example/s", "type": "JsonSchema"}] * 2,
        termsOfUse=[{"type": "Terms"}],
        activityStartDate="2026-01-02T00:00:00Z",
        activityEndDate="2026-01-01T00:00:00Z",
        creditsEarned=-1,
        role="a\u0007",
        source={**profile, "email": "examiners", "phone": "call", "url": "examiners"},
    )
    with pytest.raises(InvalidInput) as caught:
        await server.issuing.issue(OWNER, request)
    deep = "/parentOrg" * 5
    assert problems(caught) == {
        "/recipient/identifiers/0/type": "not_allowed",
        "/recipient/identifiers/1/identity": "bad_identity",
        "/recipient/identifiers/3": "repeated",
        "/name": "empty",
        "/awardedDate": "bad_time",
        "/displayImage/id": "bad_url",
        "/displayImage/type": "not_allowed",
        "/image": "bad_url",
        "/refreshService/type": "not_allowed",
        "/credentialSchema/1": "repeated",
        "/termsOfUse/0/type": "bad_iri",
        "/activityEndDate": "bad_time",
        "/creditsEarned": "bad_number",
        "/role": "bad_text",
        "/source/url": "bad_url",
        "/source/email": "bad_email",
        "/source/phone": "bad_phone",
        f"/source{deep}": "too_many",
    }


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'/%3E", True),
        ("data:image/png;base64,iVBORw0KGgo=", True),
        ("data:image/gif;base64,R0lGODlhAQABAAAAACw=", False),
        ("data:image/png;base64," + "A" * 2048, False),
        ("data:image/svg+xml,<svg/>", False),
    ],
)
async def test_a_small_image_may_be_inside_of_its_address(server: Server, image: str, allowed: bool) -> None:
    await server.issuer()
    request = award(achievement=str((await server.achievement()).id), displayImage=image)
    if allowed:
        content: Any = msgspec.json.decode((await server.issuing.issue(OWNER, request)).signed)
        assert content["image"] == {"id": image, "type": "Image"}
        return
    with pytest.raises(InvalidInput) as caught:
        await server.issuing.issue(OWNER, request)
    assert problems(caught) == {"/displayImage": "bad_url"}
