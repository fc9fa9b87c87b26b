"""``POST /vc-api/credentials/issue``: nothing is signed that breaks a page, or speaks in somebody else's name."""

from __future__ import annotations

import html
from typing import Any

import pytest

from tests.http.live_server import LiveServer
from tests.http.test_vc_api_issuing import issue, issued
from tests.support.presenting import CONTEXT

BADGE: dict[str, Any] = {
    "@context": [CONTEXT, "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "name": "Knots",
    "credentialSubject": {
        "id": "did:example:ada",
        "type": ["AchievementSubject"],
        "achievement": {
            "id": "https://achievements.example/knots",
            "type": ["Achievement"],
            "name": "Knots",
            "description": "Ties what must hold.",
            "criteria": {"narrative": "Tie ten."},
        },
    },
}
UNREADABLE = [
    "2020-01-01",
    "garbage",
    "2020-01-01T00:00:00+25:00",
]
BEYOND_THE_CALENDAR = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "-0044-03-15T00:00:00Z"]


@pytest.mark.parametrize("awarded", UNREADABLE)
def test_a_badge_that_breaks_its_schema_is_refused(server: LiveServer, issuer: dict[str, Any], awarded: str) -> None:
    assert issue(server, **BADGE, awardedDate="2020-01-01T00:00:00Z").status_code == 201

    response = issue(server, **BADGE, awardedDate=awarded)

    assert response.status_code == 400, response.text
    assert "awardedDate must be a date and time" in response.json()["detail"]


@pytest.mark.parametrize("awarded", [*UNREADABLE, *BEYOND_THE_CALENDAR])
def test_a_date_that_cannot_be_read_does_not_break_the_page(
    server: LiveServer, issuer: dict[str, Any], awarded: str
) -> None:
    terms = {"awardedDate": "https://terms.example/awarded", "creditsEarned": "https://terms.example/credits"}
    credential = issued(server, **{"@context": [CONTEXT, terms]}, awardedDate=awarded)

    page = server.get(credential["id"].removeprefix(server.url), accept="text/html")

    assert page.status_code == 200


STATUS_LISTS = "https://w3id.org/vc/status-list#"
LISTS: dict[str, dict[str, Any]] = {
    "a list": {"type": ["VerifiableCredential", "BitstringStatusListCredential"]},
    "its subject": {"credentialSubject": {"id": "did:example:list", "type": "BitstringStatusList"}},
    "an older list by its IRI": {"type": ["VerifiableCredential", f"{STATUS_LISTS}StatusList2021Credential"]},
    "the subject of an older list by its IRI": {"credentialSubject": {"type": f"{STATUS_LISTS}StatusList2021"}},
    "a name of its own for it": {
        "@context": [CONTEXT, {"Permit": f"{STATUS_LISTS}StatusList2021Credential"}],
        "type": ["VerifiableCredential", "Permit"],
    },
    "its name with another meaning": {
        "@context": [CONTEXT, {"StatusList2021Credential": "https://t.example/Permit"}],
        "type": ["VerifiableCredential", "StatusList2021Credential"],
    },
    "1EdTech's": {
        "@context": [CONTEXT, {"1EdTechRevocationList": "https://purl.imsglobal.org/spec/vcrl/v1p0/#List"}],
        "type": ["VerifiableCredential", "1EdTechRevocationList"],
    },
}


@pytest.mark.parametrize("members", LISTS.values(), ids=LISTS.keys())
def test_a_status_list_is_no_credential_to_be_issued(
    server: LiveServer, issuer: dict[str, Any], members: dict[str, Any]
) -> None:
    response = issue(server, **members)

    assert response.status_code == 400, response.text
    assert "status list" in response.json()["detail"] or "not_allowed" in response.text


def another_spelling(url: str) -> list[str]:
    host = url.removeprefix("http://")
    name, port = host.split(":")
    return [
        url,
        f"{url}/",
        f"HTTP://{host}/v3/credentials/1",
        f"http://{name}:0{port}/",
        f"http://u@{host}/v3/status-lists/1",
        f"http:\\\\{host}/v3",
        f"\thttp://{host}",
        f"http://{name.replace('1', '%31')}:{port}/",
    ]


def test_an_address_of_this_server_is_known_however_it_is_written(server: LiveServer, issuer: dict[str, Any]) -> None:
    for written in another_spelling(server.url):
        for list_ in (written, {"id": written}, [[written]]):
            response = issue(
                server, credentialStatus={"type": "BitstringStatusListEntry", "statusListCredential": list_}
            )
            assert response.status_code == 400, written
            assert "/credentialStatus" in [each["pointer"] for each in response.json()["problemDetails"]], written
    response = issue(server, id=f"HTTP://u@{server.url.removeprefix('http://')}/v3/credentials/1")
    assert [each["pointer"] for each in response.json()["problemDetails"]] == ["/id"]


def badge_of(achievement: str, creator: str | None = None) -> dict[str, Any]:
    subject = BADGE["credentialSubject"]
    named = {**subject["achievement"], "id": achievement}
    if creator is not None:
        named["creator"] = {"id": creator, "type": ["Profile"]}
    return {**BADGE, "credentialSubject": {**subject, "achievement": named}}


def test_a_badge_names_nothing_of_another_organisation(server: LiveServer, issuer: dict[str, Any], owner: str) -> None:
    key = server.ask("POST", "/v3/organisations", key=owner, json={"name": "Lakeside"}).json()["ownerKey"]["key"]
    words = {"name": "Knots", "description": "Ties.", "criteria": {"narrative": "Tie."}}
    theirs = [
        server.ask("POST", "/v3/issuers", key=key, json={"name": "Lakeside", **more}).json()["id"]
        for more in ({}, {"identity": "did:key"})
    ]
    body = {"issuer": theirs[0], **words}
    their_achievement = server.ask("POST", "/v3/achievements", key=key, json=body).json()["id"]
    ours = server.create("/v3/achievements", issuer=issuer["id"], **words)["id"]
    elsewhere = "https://achievements.example/knots"
    as_did = f"did:web:{theirs[0].removeprefix('http://').replace(':', '%3A').replace('/', ':')}"

    assert issue(server, **badge_of(ours, issuer["id"])).status_code == 201
    assert issue(server, **badge_of(elsewhere, "did:example:somebody")).status_code == 201
    nothing = f"{server.url}/v3/achievements/018f3c1a-0000-7000-8000-000000000001"
    for achievement in (their_achievement, nothing, ours.replace("http", "HTTP", 1), server.url):
        response = issue(server, **badge_of(achievement))
        pointers = [each["pointer"] for each in response.json()["problemDetails"]]
        assert pointers == ["/credentialSubject/achievement/id"], achievement
    for creator in (*theirs, as_did):
        response = issue(server, **badge_of(ours, creator))
        pointers = [each["pointer"] for each in response.json()["problemDetails"]]
        assert pointers == ["/credentialSubject/achievement/creator"], creator


def test_no_status_is_one_that_is_left_out(server: LiveServer, issuer: dict[str, Any]) -> None:
    assert issued(server, credentialStatus=[])["credentialStatus"]["type"] == "BitstringStatusListEntry"


def test_its_page_calls_the_issuer_by_its_own_name(server: LiveServer, issuer: dict[str, Any]) -> None:
    named = {"id": issuer["id"], "type": ["Profile"], "name": "Some Other University", "url": "https://other.example"}
    credential = issued(server, **BADGE, issuer=named)

    page = server.get(credential["id"].removeprefix(server.url), accept="text/html").text

    assert f">{html.escape(issuer['name'])}</a></bdi>" in page
    assert "ther University" not in page
    assert "https://other.example" not in page


def test_a_query_parameter_is_refused_as_there_are_none(server: LiveServer) -> None:
    response = server.ask("POST", "/vc-api/credentials/issue?pretty=true", json={"credential": BADGE})

    assert response.status_code == 400
    assert response.json()["hint"] == "It takes none."
