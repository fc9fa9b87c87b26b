"""The pages that a browser gets at the addresses of an issuer and of an achievement."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

import pytest
from markupsafe import escape

from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.web.pages import PAGE_HEADERS
from lapel.web.profile_pages import render_achievement_page
from tests.http.live_server import LiveServer
from tests.support.badge_images import itxt, png

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
EVIL = "</style><script>alert(1)</script>\"'"


@pytest.mark.parametrize("what", ["issuer", "achievement"])
def test_a_browser_gets_a_page_and_a_program_the_document(
    server: LiveServer, request: pytest.FixtureRequest, what: str
) -> None:
    address = request.getfixturevalue(what)["id"]

    page = server.get(address, accept=BROWSER)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["vary"] == "Accept, Accept-Encoding"
    assert PAGE_HEADERS.items() <= dict(page.headers).items()
    assert server.get(address, if_none_match=page.headers["etag"], accept=BROWSER).status_code == 304
    for accept in ("*/*", "application/json", "application/ld+json", "application/json, text/html;q=0.9"):
        assert server.get(address, accept=accept).json()["id"] == address


def test_an_issuer_is_shown_with_what_it_awards(
    server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any]
) -> None:
    text = server.get(issuer["id"], accept=BROWSER).text

    assert "<h1><bdi>Riverside School</bdi></h1>" in text
    assert 'href="https://school.example"' in text
    assert "badges@school.example" in text
    assert html.escape(achievement["name"]) in text
    assert f'<p class="text">{achievement["description"]}</p>' in text
    assert '<main>\n<header class="head">\n<div>' in text, "without an image"
    (link,) = [part.split('"')[0] for part in text.split('href="')[1:] if "achievements/" in part]
    assert urljoin(issuer["id"], link) == achievement["id"]


def test_an_issuer_is_shown_with_its_image_its_telephone_and_how_it_signs(server: LiveServer) -> None:
    image = f"data:image/png;base64,{b64encode(png()).decode()}"
    about = {"official": "Mx Quay", "phone": "+15550100", "image": {"id": image, "type": "Image"}}
    made = server.create("/v3/issuers", name="Harbour School", identity="did:key", **about)
    address = f"/v3/issuers/{made['id']}"
    text = server.get(address, accept=BROWSER).text

    for name, value in {"Official": "Mx Quay", "Telephone": "+15550100"}.items():
        assert f"<dt>{name}</dt><dd><bdi>{value}</bdi></dd>" in text
    assert f"<dt>Signs as</dt><dd><code>{made['id']}</code></dd>" in text
    shown, told = (text.split(mark)[1].split('"')[0] for mark in ('<img src="', 'property="og:image" content="'))
    assert server.get(urljoin(address, shown)).content == server.get(told).content == png()


def test_of_an_issuer_that_awards_much_the_newest_are_shown(server: LiveServer) -> None:
    much = server.create("/v3/issuers", name="A busy school")
    assert "Nothing yet." in server.get(much["id"], accept=BROWSER).text

    for number in range(101):
        server.create(
            "/v3/achievements",
            issuer=much["id"],
            name=f"Level {number}",
            description="More.",
            criteria={"narrative": "Be there."},
            inLanguage="de" if number == 100 else None,
        )
    text = server.get(much["id"], accept=BROWSER).text

    assert re.search(r'<li lang="de"><a [^>]*><bdi>Level 100<', text)
    assert re.search(r"<li><a [^>]*><bdi>Level 99<", text)
    assert ">Level 1<" in text
    assert ">Level 0<" not in text
    assert f'href="{much["id"].rpartition("/")[2]}/achievements"' in text


def test_an_achievement_is_shown_with_all_that_it_takes(server: LiveServer, issuer: dict[str, Any]) -> None:
    made = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Night Sailing",
        description="Sails by night.",
        achievementType="Certificate",
        criteria={"id": "https://school.example/night", "narrative": "Three nights at the helm."},
        fieldOfStudy="Seamanship",
        specialization="Coastal waters",
        humanCode="SEA-201",
        creditsAvailable=2.5,
        version="2026",
        creator={"id": "https://guild.example", "type": "Profile", "name": "Sailors' Guild"},
        related=[{"id": "https://school.example/nuit", "inLanguage": "fr", "version": "2"}],
        inLanguage="en-GB",
        alignment=[
            {"targetName": "Watchkeeping", "targetUrl": "https://frame.example/1", "targetFramework": "Sea Skills"}
            | {"targetDescription": "Keeps a watch."}
        ],
        resultDescription=[
            {"id": "urn:uuid:018f3c1a-0000-7000-8000-00000000000a", "name": "Mark", "resultType": "LetterGrade"}
            | {"allowedValue": ["A", "B"]},
            {"id": "urn:uuid:018f3c1a-0000-7000-8000-00000000000b", "name": "Points", "resultType": "RawScore"}
            | {"valueMin": "0", "valueMax": "100"},
            {"id": "urn:uuid:018f3c1a-0000-7000-8000-00000000000c", "name": "Miles", "resultType": "RawScore"}
            | {"valueMin": "300"},
            {"id": "urn:uuid:018f3c1a-0000-7000-8000-00000000000d", "name": "Faults", "resultType": "RawScore"}
            | {"valueMax": "3"},
            {"id": "urn:uuid:018f3c1a-0000-7000-8000-00000000000e", "name": "Remarks", "resultType": "Result"},
            {
                "id": "urn:uuid:018f3c1a-0000-7000-8000-00000000000f",
                "name": "Helm",
                "resultType": "RubricCriterionLevel",
            }
            | {
                "rubricCriterionLevel": [
                    {"id": f"urn:uuid:018f3c1a-0000-7000-8000-00000000001{number}", "name": name}
                    for number, name in enumerate(("Steady", "Sure"))
                ]
            },
        ],
        tag=["sea"],
    )
    text = server.get(made["id"], accept=BROWSER).text

    for shown in ("Night Sailing", "Sails by night.", "Certificate", "Three nights at the helm.", "Seamanship", "sea"):
        assert f">{shown}<" in text
    for link in ("https://school.example/night", "https://frame.example/1", issuer["id"]):
        assert f'href="{link}"' in text
    assert "Sea Skills" in text
    facts = {
        "Specialisation": "Coastal waters",
        "Code": "SEA-201",
        "Language": "en-GB",
        "Credits": "2.5",
        "Edition": "2026",
        "Created by": "Sailors&#39; Guild",
    }
    for name, value in facts.items():
        assert f"<dt>{name}</dt><dd><bdi>{value}</bdi></dd>" in text
    assert 'href="https://school.example/nuit"' in text
    assert '<bdi class="soft">fr, edition 2</bdi>' in text
    assert '<h1 lang="en-GB">' in text
    assert ">A, B<" in text
    assert ">0 to 100<" in text
    assert ">at least 300<" in text
    assert ">at most 3<" in text
    assert "<dt><bdi>Remarks</bdi></dt><dd><bdi>in words</bdi></dd>" in text
    assert ">Steady, Sure<" in text
    assert '<p class="text">Keeps a watch.</p>' in text
    assert "<dt>Version</dt>" not in text
    image = text.split('<img src="')[1].split('"')[0]
    assert server.get(urljoin(made["id"], image)).headers["content-type"] == "image/svg+xml"


def test_a_related_achievement_is_named_if_it_is_published_here(server: LiveServer, issuer: dict[str, Any]) -> None:
    def create(name: str, *related: str) -> str:
        about = {"issuer": issuer["id"], "description": "1", "criteria": {"narrative": "Be there."}}
        others = [{"id": address} for address in related]
        return str(server.create("/v3/achievements", name=name, related=others, **about)["id"])

    here = create("Day <i>Sailing</i>")
    gone, odd = f"{here[:-36]}018f3c1a-0000-7000-8000-000000000000", f"{here}/image"
    text = server.get(create("Night Sailing", here, gone, odd, "https://school.example/nuit"), accept=BROWSER).text

    named = {here: "Day &lt;i&gt;Sailing&lt;/i&gt;"}
    for link in (here, gone, odd, "https://school.example/nuit"):
        assert f'<li><bdi><a href="{link}" rel="noopener">{named.get(link, link)}</a></bdi></li>' in text


def test_who_endorses_an_achievement_or_an_issuer_is_shown(server: LiveServer) -> None:
    issuer = server.create("/v3/issuers", name="A praised school")
    achievement = server.create(
        "/v3/achievements", issuer=issuer["id"], name="Knots", description="1", criteria={"narrative": "Be there."}
    )
    for endorsed in (issuer["id"], achievement["id"]):
        assert "Who endorses it" not in server.get(endorsed, accept=BROWSER).text
        statement = {"issuer": issuer["id"], "endorsed": endorsed, "comment": "Well *made*."}
        endorsement = server.create("/v3/endorsements", **statement)
        changed = server.ask("PATCH", endorsed, json={"endorsement": [endorsement]})
        assert changed.status_code == 200, changed.text

        text = server.get(endorsed, accept=BROWSER).text
        assert (
            f'<a href="{endorsement["id"]}" rel="noopener">A praised school</a></bdi><div class="prose" dir="auto">'
            in text
        )
        assert "<p>Well <em>made</em>.</p>" in text
        assert '<p class="soft">Each was verified when it was added here.</p>' in text


def test_each_version_has_its_page(server: LiveServer, issuer: dict[str, Any]) -> None:
    criteria = {"narrative": "Be there."}
    made = server.create("/v3/achievements", issuer=issuer["id"], name="First", description="1", criteria=criteria)
    assert server.ask("PATCH", made["id"], json={"name": "Second"}).status_code == 200

    own = made["id"].rpartition("/")[2]
    now = server.get(made["id"], accept=BROWSER).text
    before = server.get(f"{made['id']}?version=1", accept=BROWSER).text

    assert "<h1><bdi>Second</bdi></h1>" in now
    assert "<dt>Version</dt><dd><bdi>2</bdi></dd>" in now
    assert "earlier version" not in now
    assert "<h1><bdi>First</bdi></h1>" in before
    assert "<dt>Version</dt><dd><bdi>1</bdi></dd>" in before
    assert f'This is an earlier version: what was asked of those who earned it then. <a href="{own}">' in before


@pytest.mark.parametrize("first", ["uploaded", "drawn"])
def test_each_version_shows_its_own_image(server: LiveServer, issuer: dict[str, Any], first: str) -> None:
    criteria = {"narrative": "Be there."}
    made = server.create("/v3/achievements", issuer=issuer["id"], name="First", description="1", criteria=criteria)
    if first == "uploaded":
        put(server, made["id"], png())
    number = server.get(made["id"]).headers["etag"].strip('"').partition("-")[0]
    before = server.get(f"{made['id']}/image").content
    put(server, made["id"], png(itxt(b"Title", b"Another")))

    shown = image_of(server, f"{made['id']}?version={number}")
    assert shown == before
    assert image_of(server, made["id"]) == server.get(f"{made['id']}/image").content != before
    assert server.get(f"{made['id']}/image?version=9").status_code == 404


def put(server: LiveServer, address: str, image: bytes) -> None:
    answer = server.ask("PUT", f"{address}/image", content=image, headers={"content-type": "image/png"})
    assert answer.status_code == 200


def image_of(server: LiveServer, address: str) -> bytes:
    """What the page at the address shows as its image, which is what it tells others that it shows."""
    text = server.get(address, accept=BROWSER).text
    shown, told = (text.split(mark)[1].split('"')[0] for mark in ('<img src="', 'property="og:image" content="'))
    assert urljoin(address, shown) == told
    return server.get(told).content


def test_nothing_of_theirs_becomes_markup(server: LiveServer) -> None:
    issuer = server.create("/v3/issuers", name=EVIL, description=EVIL, official=EVIL)
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name=EVIL,
        description=EVIL,
        criteria={"narrative": EVIL},
        fieldOfStudy=EVIL,
        tag=[EVIL],
        alignment=[{"targetName": EVIL, "targetUrl": "https://frame.example/1", "targetDescription": EVIL}],
    )
    for address in (issuer["id"], achievement["id"]):
        text = server.get(address, accept=BROWSER).text

        assert "<script" not in text
        assert 'href="javascript:' not in text
        assert text.count("</style>") == 1


def shown(document: dict[str, Any]) -> str:
    """The page of an achievement whose stored members are these, whatever they are."""
    moment, own = datetime(2026, 4, 1, tzinfo=UTC), UUID(int=1)
    achievement = Achievement(
        id=own,
        organisation_id=own,
        issuer_id=own,
        version=1,
        name="Knots",
        description="Ties.",
        created_at=moment,
        updated_at=moment,
    )
    addresses = Addresses("https://b.example")
    return render_achievement_page(
        achievement, document, issuer_name="School", newest=1, names={}, addresses=addresses
    ).decode()


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "//b.example", "https:", "https://[", EVIL]
)
def test_only_addresses_of_the_web_become_links(link: str) -> None:
    text = shown(
        {"criteria": {"id": link}, "alignment": [{"targetName": "A", "targetUrl": link}], "related": {"id": link}}
    )

    assert "How it is earned" not in text
    assert "<bdi>A</bdi>" in text
    assert f"<li><bdi>{escape(link)}</bdi></li>" in text
    good = shown({"criteria": {"id": "https://a.example/c"}})
    assert 'href="https://a.example/c"' in good


@pytest.mark.parametrize(
    "odd",
    [None, 1, pytest.param(10**400, id="10**400"), True, [], {}, [[{}]], "", " ", {"@value": EVIL}, [EVIL], [None, 1]],
)
def test_members_of_another_kind_do_not_break_it(odd: Any) -> None:
    whole = dict.fromkeys(
        (
            *("criteria", "alignment", "resultDescription", "fieldOfStudy", "inLanguage", "achievementType"),
            *("creditsAvailable", "creator", "related", "version", "endorsement", "endorsementJwt"),
        ),
        odd,
    )
    inner = {
        "criteria": {"id": odd, "narrative": odd},
        "alignment": {"targetName": odd, "targetUrl": odd, "targetFramework": odd, "targetDescription": odd},
        "creator": {"name": odd},
        "related": {"id": odd, "inLanguage": odd, "version": odd},
        "endorsement": {"id": odd, "issuer": {"name": odd}, "credentialSubject": {"endorsementComment": odd}},
        "resultDescription": [{"name": odd, "valueMin": odd, "allowedValue": odd, "rubricCriterionLevel": odd}],
    }
    for document in (whole, inner):
        text = shown(document)

        assert "<h1><bdi>Knots</bdi></h1>" in text
        assert "<script" not in text


@pytest.mark.parametrize("collection", ["issuers", "achievements"])
def test_what_is_not_there_is_a_page_too(server: LiveServer, collection: str) -> None:
    missing = server.get(f"/v3/{collection}/018f3c1a-0000-7000-8000-000000000000", accept=BROWSER)

    assert missing.status_code == 404
    assert missing.headers["content-type"] == "text/html; charset=utf-8"
    assert "Not found" in missing.text


def test_a_credential_leads_to_both(
    server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any], credential: dict[str, Any]
) -> None:
    text = server.get(credential["id"], accept=BROWSER).text

    assert f'href="{issuer["id"]}"' in text
    assert f'href="{achievement["id"]}?version=1"' in text
