"""What is wrong with a badge that names no schema: members of a kind that Open Badges 3.0 does not give them."""

from __future__ import annotations

from typing import Any

import pytest

from lapel.services.verifying.data_model.structure import check_structure
from tests.unit.services.verifying.data_model.test_schema import rich
from tests.unit.services.verifying.test_endorsements import endorsement
from tests.unit.services.verifying.world import ISSUER, World, failed, outcome

SUBJECT = "credentialSubject"
WRONG: list[tuple[str, Any]] = [
    ("name", 7),
    ("description", [True]),
    ("awardedDate", "yesterday"),
    ("image", 7),
    ("image", {"id": 7, "type": "Image"}),
    ("image", {"id": "https://school.example/i", "type": "Image", "caption": {"en": 7}}),
    ("endorsement", 7),
    ("endorsementJwt", [7]),
    ("evidence/0/narrative", 7),
    ("issuer/name", 7),
    ("issuer/url", ["https://school.example", 7]),
    ("issuer/image/id", 7),
    ("issuer/address/geo/latitude", "60"),
    ("issuer/otherIdentifier/0/identifier", 7),
    ("issuer/parentOrg", 7),
    ("issuer/dateOfBirth", 1990),
    (f"{SUBJECT}/creditsEarned", "3"),
    (f"{SUBJECT}/activityStartDate", 2026),
    (f"{SUBJECT}/result", "passed"),
    (f"{SUBJECT}/result/0/value", 97),
    (f"{SUBJECT}/result/0/status", True),
    (f"{SUBJECT}/result/0/alignment", [{"type": ["Alignment"], "targetName": 7}]),
    (f"{SUBJECT}/achievement/name", 7),
    (f"{SUBJECT}/achievement/description", {"en": 7}),
    (f"{SUBJECT}/achievement/criteria", {"narrative": 7}),
    (f"{SUBJECT}/achievement/achievementType", 7),
    (f"{SUBJECT}/achievement/alignment", "https://example.org/framework"),
    (f"{SUBJECT}/achievement/alignment/0/targetUrl", 7),
    (f"{SUBJECT}/achievement/alignment/0/type", 7),
    (f"{SUBJECT}/achievement/criteria/id", 7),
    (f"{SUBJECT}/achievement/criteria", {"id": "https://school.example/criteria", "narrative": 7}),
    (f"{SUBJECT}/achievement/creator/email", 7),
    (f"{SUBJECT}/achievement/resultDescription/0/rubricCriterionLevel/0/points", 7),
    (f"{SUBJECT}/achievement/tag", ["chess", 7]),
]


ALLOWED: list[tuple[str, Any]] = [
    ("name", {"en": "Chess", "de": "Schach"}),
    ("name", [{"@value": "Chess", "@language": "en"}, {"@value": "Schach", "@language": "de"}]),
    ("description", None),
    ("image", "https://school.example/badge.png"),
    ("image", [{"id": "https://school.example/badge.png", "type": "Image"}]),
    ("more", {"by": ["somebody", 7]}),
    ("issuer", "https://school.example/"),
    ("issuer/more", 7),
    ("issuer/type", "Profile"),
    ("issuer/image/more", True),
    (f"{SUBJECT}/creditsEarned", 3),
    (f"{SUBJECT}/result", {"type": "Result", "value": "97", "more": 7}),
    (f"{SUBJECT}/result", []),
    (f"{SUBJECT}/result/0/status", "ext:Won"),
    (f"{SUBJECT}/source", "https://school.example/"),
    (f"{SUBJECT}/achievement/name", {"en": "Chess", "de": "Schach"}),
    (f"{SUBJECT}/achievement/description", [{"@value": "Schach", "@language": "de"}]),
    (f"{SUBJECT}/achievement/criteria", {"narrative": {"@value": "Gewinne.", "@language": "de"}}),
    (f"{SUBJECT}/achievement/achievementType", "Trophy"),
    (f"{SUBJECT}/achievement/alignment", {"type": "Alignment", "targetName": "Thinking"}),
    (f"{SUBJECT}/achievement/creator", "https://guild.example/"),
    (f"{SUBJECT}/achievement/related", "https://school.example/achievements/2"),
    (f"{SUBJECT}/achievement/tag", "chess"),
]


def with_member(place: str, value: object) -> dict[str, Any]:
    """A badge that names no schema, with something of every class in it, and this at that place."""
    badge = {name: member for name, member in rich().items() if name != "credentialSchema"}
    *holders, name = [int(part) if part.isdigit() else part for part in place.split("/")]
    holder: Any = badge
    for part in holders:
        holder = holder[part]
    holder[name] = value
    return badge


@pytest.mark.parametrize(("place", "value"), WRONG)
def test_a_member_of_another_kind_fails_structure(place: str, value: object) -> None:
    check = check_structure(with_member(place, value))

    assert (check.outcome, check.problem) == ("fail", "member_invalid")
    assert place in (check.detail or "")


@pytest.mark.parametrize(("place", "value"), ALLOWED)
def test_what_the_specification_lets_one_write_passes(place: str, value: object) -> None:
    assert check_structure(with_member(place, value)).outcome == "pass"


async def test_a_badge_is_judged_whichever_way_it_is_secured(world: World) -> None:
    badge = world.badge()
    badge["credentialSubject"]["id"] = "did:example:ada"
    assert (await world.verify(world.token(badge))).valid is True
    badge["credentialSubject"]["achievement"]["humanCode"] = 7

    report = await world.verify(world.token(badge))

    assert failed(report) == [("structure", "member_invalid")]
    assert outcome(await world.verify(world.sign(badge)), "structure") == ("fail", "member_invalid")


@pytest.mark.parametrize(
    "name", [{"de": "Schach", "en": "Chess"}, [{"@language": "de", "@value": "Schach"}, {"@value": "Chess"}]]
)
async def test_a_name_in_several_languages_is_shown_in_the_first(world: World, name: Any) -> None:
    badge = world.badge()
    badge["credentialSubject"] |= {"id": "did:example:ada"}
    badge["credentialSubject"]["achievement"]["name"] = name

    report = await world.verify(world.token(badge))

    assert (report.valid, report.shown.name) == (True, "Schach")


async def test_an_endorsement_is_judged_by_its_own_class(world: World) -> None:
    subject = {"id": ISSUER, "type": ["EndorsementSubject"], "endorsementComment": 7}

    report = await world.verify(world.sign(endorsement(world, credentialSubject=subject)))

    assert outcome(report, "structure") == ("fail", "member_invalid")


def test_members_of_another_credential_are_its_own_affair(world: World) -> None:
    credential = world.badge(type=["VerifiableCredential"], evidence=[{"type": "Game", "narrative": 7}])

    assert check_structure(credential).problem == "not_a_badge"


def test_older_names_of_a_badges_dates_are_no_fault(world: World) -> None:
    badge = world.badge(issuanceDate="2026-05-01T00:00:00Z", validFrom=None, validUntil=None)
    badge["@context"][0] = "https://www.w3.org/2018/credentials/v1"

    assert check_structure(badge).outcome == "pass"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", 7),
        ("name", {"en": "Chess"}),
        ("description", [{"@value": "Plays chess.", "more": 7}]),
        ("issuer", {"id": ISSUER, "name": True}),
        ("credentialStatus", {"id": 7, "type": "Mystery"}),
        ("credentialStatus", {"id": "https://school.example/status"}),
    ],
)
def test_names_and_status_of_any_credential_are_judged(world: World, place: str, value: Any) -> None:
    credential = world.badge(type=["VerifiableCredential"])
    assert check_structure(credential).outcome == "warn"
    older = {**credential, "issuanceDate": "2026-05-01T00:00:00Z", place: value}
    older["@context"] = ["https://www.w3.org/2018/credentials/v1"]

    assert check_structure({**credential, place: value}).problem == "member_invalid"
    # Names are no part of Verifiable Credentials 1.1.
    assert (check_structure(older).problem == "member_invalid") is (place == "credentialStatus")


@pytest.mark.parametrize("value", [None, [], {"type": "Mystery"}])
def test_a_status_may_be_missing_or_have_no_id(world: World, value: Any) -> None:
    assert check_structure({**world.badge(), "credentialStatus": value}).outcome == "pass"
