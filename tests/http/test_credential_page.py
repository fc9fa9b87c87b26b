"""The page that a browser gets at a credential's address."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit
from uuid import UUID

import pytest

from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.web.credential_page import render_credential_page, validity_of
from lapel.web.links import web_link
from lapel.web.pages import PAGE_HEADERS, moment_of
from tests.http.live_server import LiveServer

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ID = UUID("018f3c1a-0000-7000-8000-000000000001")


def stored(**changes: Any) -> Credential:
    given = {
        "id": ID,
        "organisation_id": ID,
        "issuer_id": ID,
        "achievement_id": ID,
        "achievement_version": 1,
        "format": CredentialFormat.EDDSA_RDFC_2022,
        "signed": b"{}",
        "recipient_type": "emailAddress",
        "recipient_lookup": b"",
        "valid_from": NOW - timedelta(days=10),
        "created_at": NOW - timedelta(days=10),
    }
    return Credential(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "word", "sentence"),
    [
        ({}, "Valid", "has not revoked"),
        (
            {"status": CredentialStatus.REVOKED, "status_reason": "Cheating", "status_changed_at": NOW},
            "Revoked",
            "revoked this credential on 2026-05-04T12:00:00Z",
        ),
        ({"status": CredentialStatus.SUSPENDED}, "Suspended", "for now"),
        ({"valid_until": NOW}, "Expired", "expired on 2026-05-04T12:00:00Z"),
        ({"valid_from": NOW + timedelta(days=1)}, "Not yet valid", "not valid before 2026-05-05T12:00:00Z"),
    ],
)
def test_the_standing_is_told_as_it_is_now(changes: dict[str, Any], word: str, sentence: str) -> None:
    standing = validity_of(stored(**changes), now=NOW)

    assert standing.word == word
    assert sentence in standing.sentence


def test_what_a_stranger_may_have_signed_is_not_valid_whatever_its_dates() -> None:
    for changes, word in (({}, "Not valid"), ({"status": CredentialStatus.REVOKED}, "Revoked")):
        standing = validity_of(stored(**changes), now=NOW, is_believed=False)

        assert (standing.tone, standing.word) == ("bad", word)


def page(document: dict[str, Any]) -> str:
    return render_credential_page(stored(), document, addresses=Addresses("https://b.example"), now=NOW).decode()


def test_nothing_in_a_credential_becomes_markup() -> None:
    evil = "</style><script>alert(1)</script>\"'"
    text = page(
        {
            "name": evil,
            "issuer": {"name": evil, "url": "javascript:alert(1)", "id": "data:text/html,x"},
            "evidence": [{"id": "javascript:alert(2)", "name": evil, "genre": evil, "narrative": evil}],
            "endorsement": [
                {"id": "javascript:alert(3)", "issuer": evil, "credentialSubject": {"endorsementComment": evil}}
            ],
            "credentialSubject": {
                "name": evil,
                "narrative": evil,
                "result": [{"value": evil, "status": evil}],
                "role": evil,
                "source": {"name": evil},
                "achievement": {
                    "name": evil,
                    "description": evil,
                    "criteria": {"narrative": evil, "id": "vbscript:x"},
                    "tag": [evil],
                },
            },
        }
    )

    assert "<script" not in text
    assert not re.search(r"""(href|src)="(javascript|data|vbscript)""", text)
    assert text.count("</style>") == 1


def test_what_is_no_object_leaves_no_empty_entry() -> None:
    achievement = {"alignment": ["x"], "resultDescription": ["x"]}
    text = page({"evidence": ["x"], "credentialSubject": {"result": ["x"], "achievement": achievement}})

    assert not {"Evidence", "A framework", "reached"} & {*re.split(r"[<>]", text)}


def test_only_a_name_that_takes_up_too_much_is_in_a_box_that_scrolls() -> None:
    long, short = (page({"credentialSubject": {"achievement": {"name": "x" * length}}}) for length in (10_000, 100))

    assert '<h1 tabindex="0">' in long
    assert "<h1>" in short


def test_a_names_direction_touches_nothing_beside_it() -> None:
    text = page({"issuer": {"name": "\u202eloohcS"}, "credentialSubject": {"achievement": {"name": "שחמט\u2069"}}})

    assert "<title>\u2068שחמט\u2069 · \u2068loohcS\u2069</title>" in text
    assert "<h1><bdi>שחמט\u2069</bdi></h1>" in text
    assert re.search("<bdi><a [^>]*>\u202eloohcS</a></bdi>", text)


def test_what_has_not_begun_is_not_called_awarded() -> None:
    later, addresses = stored(valid_from=NOW + timedelta(days=1)), Addresses("https://b.example")
    for document in ({}, {"awardedDate": "2026-05-05T10:00:00Z"}):
        text = render_credential_page(later, document, addresses=addresses, now=NOW).decode()

        assert f"<dt>Valid from</dt><dd>{moment_of(later.valid_from)}</dd>" in text
        assert f"This credential is not valid before {moment_of(later.valid_from)}." in text
        assert "<dt>Awarded</dt>" not in text
    assert "<dt>Awarded</dt>" in page({})


def test_who_earned_it_is_no_link() -> None:
    assert "<dt>Recipient</dt><dd><bdi>Ada</bdi>" in page(
        {"credentialSubject": {"id": "https://a.example", "name": "Ada"}}
    )


def test_what_few_awards_say_is_shown() -> None:
    said = {"role": "Bosun", "licenseNumber": "K 17", "creditsEarned": 2.5, "source": {"name": "Examiners"}}
    text = page({"credentialSubject": said})

    shown = {"Role": "Bosun", "Licence number": "K 17", "Credits": "2.5", "Assessed by": "Examiners"}
    for name, value in shown.items():
        assert f"<dt>{name}</dt><dd><bdi>{value}</bdi></dd>" in text


def test_what_it_corresponds_to_what_was_reached_and_who_endorses_it_is_shown() -> None:
    rope = {"targetName": "Ropework", "targetUrl": "https://frame.example/1", "targetFramework": "Seamanship"}
    held = {"id": "https://guild.example/1", "issuer": {"name": "Guild"}}
    document: dict[str, Any] = {
        "endorsement": [{**held, "credentialSubject": {"endorsementComment": "Held."}}],
        "evidence": [{"name": "Film", "genre": "Documentary", "description": "Ten minutes.", "narrative": "At sea."}],
        "credentialSubject": {"achievement": {"alignment": [rope]}, "result": [{"value": "A", "status": "Completed"}]},
    }
    text = page(document)

    assert '<a href="https://frame.example/1" rel="noopener">Ropework</a></bdi> <bdi class="soft">Seamanship</' in text
    assert (
        '<a href="https://guild.example/1" rel="noopener">Guild</a></bdi><div class="prose" dir="auto"><p>Held.</p>'
        in text
    )
    assert "<dt><bdi>Result</bdi></dt><dd><bdi>A, Completed</bdi></dd>" in text
    assert 'Film</bdi> <bdi class="soft">Documentary</bdi><p class="text">Ten minutes.</p>' in text
    assert '<div class="prose" dir="auto"><p>At sea.</p>' in text
    signed_only = stored(achievement_id=None, achievement_version=None)
    assert b"Guild" not in render_credential_page(
        signed_only, document, addresses=Addresses("https://b.example"), now=NOW
    )


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["emailAddress"], "e-mail address"),
        (["ext:phone"], "telephone number"),
        (["sisSourcedId"], "identifier"),
        (["studentId", "emailAddress", "emailAddress", None], "identifier and e-mail address"),
    ],
)
def test_what_is_there_as_a_hash_is_told_by_its_name(kinds: list[str | None], words: str) -> None:
    hashed = [{"hashed": True, "identityHash": "sha256$…", "identityType": kind} for kind in kinds]
    plain = {"hashed": False, "identityHash": "Ada", "identityType": "name"}

    assert (
        f'<p class="soft">Only a hash of their {words} is in the credential. '
        f"Whoever knows their {words} can check that the credential is theirs.</p>"
    ) in page({"credentialSubject": {"identifier": [*hashed, plain]}})
    assert "hash" not in page({"credentialSubject": {"identifier": [plain]}}).partition("</style>")[2]


def test_its_owner_can_show_it_elsewhere_while_it_holds() -> None:
    ends = datetime(2027, 3, 1, tzinfo=UTC)
    document: dict[str, Any] = {"issuer": {"name": "A & B"}, "credentialSubject": {"achievement": {"name": "Knots"}}}

    def link(credential: Credential) -> list[str]:
        text = render_credential_page(
            credential, document, addresses=Addresses("https://b.example"), now=NOW, issuer_name="A & B"
        ).decode()
        return [html.unescape(found) for found in re.findall('href="(https://www.linkedin.com/[^"]*)"', text)]

    (found,) = link(stored(valid_until=ends))
    assert dict(parse_qsl(urlsplit(found).query)) == {
        "startTask": "CERTIFICATION_NAME",
        "name": "Knots",
        "organizationName": "A & B",
        "issueYear": "2026",
        "issueMonth": "4",
        "expirationYear": "2027",
        "expirationMonth": "3",
        "certId": str(ID),
        "certUrl": f"https://b.example/v3/credentials/{ID}",
    }
    assert link(stored(status=CredentialStatus.REVOKED)) == []
    assert link(stored(achievement_id=None, achievement_version=None)) == []


def test_an_endorsement_is_no_award() -> None:
    document: dict[str, Any] = {
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "credentialSubject": {"id": "https://a.example/knots", "endorsementComment": "Held."},
    }
    endorsement = stored(achievement_id=None, achievement_version=None)
    text = render_credential_page(endorsement, document, addresses=Addresses("https://b.example"), now=NOW).decode()

    assert (
        '<dt>Endorsed</dt><dd><bdi><a href="https://a.example/knots" rel="noopener">https://a.example/knots</a>' in text
    )
    assert "Held." in text
    assert "/image" not in text


@pytest.mark.parametrize("subject", [{"id": "did:example:ada"}, [{"note": "x"}, {"id": "did:example:ada"}]])
def test_a_credential_of_another_kind_is_neither_award_nor_endorsement(subject: Any) -> None:
    document = {
        "type": ["VerifiableCredential", "Permit<b>", "Pass"],
        "issuer": "did:key:z6Mk",
        "credentialSubject": subject,
    }
    other = stored(achievement_id=None, achievement_version=None)
    text = render_credential_page(
        other, document, addresses=Addresses("https://b.example"), now=NOW, issuer_name="Harbour"
    ).decode()

    assert "<dt>About</dt><dd><bdi>did:example:ada</bdi></dd>" in text
    assert "<dt>Type</dt><dd><bdi>Permit&lt;b&gt;, Pass</bdi></dd>" in text
    assert "Signed by <bdi>Harbour</bdi>" in text
    assert "Any verifier of verifiable credentials can check the file or the address" in text
    assert "Endorse" not in text
    assert "Open Badges" not in text


def test_the_reason_of_a_revocation_is_told() -> None:
    revoked = stored(status=CredentialStatus.REVOKED, status_reason="Cheating", status_changed_at=NOW)
    text = render_credential_page(revoked, {}, addresses=Addresses("https://b.example"), now=NOW).decode()

    assert "Reason given: <bdi>Cheating</bdi>" in text


def test_what_is_revoked_says_so_first_in_a_tab_in_a_link_and_on_the_page() -> None:
    document = {"credentialSubject": {"achievement": {"name": "Knots", "description": "Ties.", "inLanguage": "de"}}}
    revoked = stored(status=CredentialStatus.REVOKED, status_changed_at=NOW)
    text = render_credential_page(revoked, document, addresses=Addresses("https://b.example"), now=NOW).decode()

    assert "<title>Revoked: \u2068Knots\u2069 · " in text
    assert text.count('content="Revoked: Knots"') == 2
    places = map(text.index, ("<strong>Revoked.</strong>", "<dt>Recipient</dt>", '<p class="text" lang="de">Ties.</p>'))
    assert sorted(found := [*places]) == found
    assert '<h1 lang="de"><bdi>Knots</bdi></h1>' in text
    assert "Revoked" not in page(document)


@pytest.mark.parametrize(("given", "shown"), [("A typo. ", "Reason given: <bdi>A typo.</bdi>"), ("", "")])
def test_what_is_replaced_says_so_and_leads_to_the_other_once(given: str, shown: str) -> None:
    other = Addresses("https://b.example").credential(UUID(int=7))
    replaced = stored(
        status=CredentialStatus.REVOKED,
        status_reason=f"{given}Replaced by {other}",
        status_changed_at=NOW,
        replaced_by_id=UUID(int=7),
    )
    text = render_credential_page(replaced, {}, addresses=Addresses("https://b.example"), now=NOW).decode()

    assert "and issued another in its place." in text
    assert f'<a href="{other}">The credential that replaces it</a>' in text
    assert text.count(other) == 1
    assert shown in text
    assert ("Reason given" in text) is bool(shown)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"credentialSubject": None, "issuer": "https://i.example", "evidence": "x"},
        {"credentialSubject": [{}], "issuer": [], "evidence": [None, 7, {}]},
        {"credentialSubject": {"achievement": "x", "identifier": {"hashed": False}, "result": {"value": 7}}},
    ],
)
def test_odd_shapes_make_a_page_all_the_same(document: dict[str, Any]) -> None:
    assert "<h1>" in page(document)


def test_the_style_sheet_is_the_one_that_the_policy_names() -> None:
    style = re.search(r"<style>(.*?)</style>", page({}), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()

    assert f"'sha256-{digest}'" in PAGE_HEADERS["content-security-policy"]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("https://a.example/x", True),
        ("http://a.example", True),
        ("javascript:alert(1)", False),
        ("https://[", False),
        ("https:", False),
        ("//a.example", False),
        (None, False),
        (7, False),
    ],
)
def test_only_web_addresses_become_links(value: object, kept: bool) -> None:
    assert web_link(value) == (value if kept else None)


def test_a_browser_sees_who_earned_what_and_can_take_it_along(server: LiveServer, credential: dict[str, Any]) -> None:
    response = server.get(credential["id"], accept="text/html")

    assert response.headers["cache-control"] == "no-cache"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    text = response.text
    assert "Knots &lt;b&gt;and&lt;/b&gt; Ropes" in text
    assert "Ada &amp; Co" in text
    assert "Riverside School" in text
    assert "<strong>Valid.</strong>" in text
    assert "Tied ten knots, blindfolded." in text
    targets = re.findall(r'(?:href|src)="(?!https?:)([^"]+)"', text)
    assert any("/v2/assertions/" in target for target in targets)
    for target in targets:
        assert server.get(urljoin(credential["id"], html.unescape(target))).status_code == 200, target


def test_what_shows_a_link_elsewhere_finds_the_image_at_a_whole_address(
    server: LiveServer, credential: dict[str, Any]
) -> None:
    text = server.get(credential["id"], accept="text/html").text

    for name in ('property="og:image"', 'name="twitter:image"'):
        assert f'<meta {name} content="{credential["id"]}/image">' in text
    assert '<meta name="twitter:card" content="summary">' in text
    assert 'alt="Badge: Knots &lt;b&gt;and&lt;/b&gt; Ropes"' in text
    assert 'rel="alternate" type="application/json"' in text


def test_only_the_forms_that_there_are_are_offered(server: LiveServer) -> None:
    issuer = server.create("/v3/issuers", name="No Mail", url="https://nomail.example")
    words = {"name": "Oars", "description": "Rows.", "criteria": {"narrative": "Row."}}
    achievement = server.create("/v3/achievements", issuer=issuer["id"], **words)
    recipient = {"type": "email", "identity": "ada@school.example", "hashed": True}
    award = {"achievement": achievement["id"], "recipient": recipient, "format": "vc-jwt"}
    token = server.ask("POST", "/v3/credentials", json=award)

    text = server.get(token.headers["location"], accept="text/html").text

    assert "Signed credential (JWT)" in text
    assert "?format=json" not in text
    assert "/v2/" not in text
    assert "Only a hash of their e-mail address" in text
    assert "ada@school.example" not in text


@pytest.mark.parametrize("gone", [False, True], ids=["unknown", "erased"])
def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(
    server: LiveServer, achievement: dict[str, Any], owner: str, gone: bool
) -> None:
    address = "/v3/credentials/018f3c1a-0000-7000-8000-000000000000"
    if gone:
        recipient = {"type": "email", "identity": "eve@school.example"}
        address = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)["id"]
        assert server.ask("DELETE", address, key=owner).status_code == 204

    page = server.get(address, accept="text/html,application/xhtml+xml,*/*;q=0.8")
    problem = server.get(address, accept="application/json")

    assert page.status_code == problem.status_code == (410 if gone else 404)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert ("No longer here" if gone else "Not found") in page.text
    assert problem.json()["code"] in page.text
    assert page.headers["content-security-policy"] == PAGE_HEADERS["content-security-policy"]
    assert (page.headers["vary"], page.headers["cache-control"]) == ("Accept", "no-store")
