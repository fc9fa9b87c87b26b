"""``/verify``: a form for people, and what they are told."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lapel.domain.verification import CheckCode, Kind, Outcome, Problem
from lapel.services.verifying import Check, Report, Shown
from lapel.web.pages import FORM_HEADERS, PAGE_HEADERS, day_of, moment_of
from lapel.web.verification_page import render_report_page
from tests.http.live_server import LiveServer
from tests.support.badge_images import png

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def send(server: LiveServer, data: dict[str, str], file: bytes = b"", **headers: str) -> Any:
    """The form as a browser sends it: a file that is not chosen is an empty one without a name."""
    with server.client as client:
        files = {"file": ("badge.json" if file else "", file)}
        return client.post("/v3/verify", data=data, files=files, headers={**BROWSER, **headers})


def test_the_form_is_there_for_everybody_and_goes_nowhere_else(server: LiveServer) -> None:
    page = server.get("/verify")

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == FORM_HEADERS["content-security-policy"]
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert "form-action 'none'" in PAGE_HEADERS["content-security-policy"]
    assert 'action="v3/verify"' in page.text
    assert "a name is not enough" in page.text


def test_an_address_to_begin_with_is_in_it_and_becomes_no_markup(server: LiveServer) -> None:
    text = server.get("/verify?url=%22%3E%3Cscript%3E").text

    assert 'value="&#34;&gt;&lt;script&gt;"' in text
    assert server.get("/verify?adress=x").status_code == 400


def test_a_credential_leads_to_it(server: LiveServer, credential: dict[str, Any]) -> None:
    page = server.get(credential["id"], **BROWSER).text
    (link,) = [part.split('"')[0] for part in page.split('href="../../')[1:] if part.startswith("verify?")]

    assert f'value="{credential["id"]}"' in server.get(f"/{link}").text


def test_a_badge_is_verified_as_its_text_is_pasted(server: LiveServer, achievement: dict[str, Any]) -> None:
    award = {"achievement": achievement["id"], "recipient": {"type": "email", "identity": "ada@school.example"}}
    for form in ("eddsa-rdfc-2022", "vc-jwt"):
        made = server.ask("POST", "/v3/credentials", json={**award, "format": form}).text

        assert "<strong>Valid.</strong>" in send(server, {"text": f"\r\n {made}\r\n", "url": ""}).text


@pytest.mark.parametrize("how", ["file", "url"])
def test_a_good_badge_is_called_valid(server: LiveServer, credential: dict[str, Any], how: str) -> None:
    data = {"recipient": "", "url": credential["id"] if how == "url" else ""}

    answer = send(server, data, json.dumps(credential).encode() if how == "file" else b"")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == PAGE_HEADERS["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "<strong>Valid.</strong>" in answer.text
    assert "Knots &lt;b&gt;and&lt;/b&gt; Ropes" in answer.text
    assert ">Wrong<" not in answer.text
    program = send(server, data, json.dumps(credential).encode() if how == "file" else b"", accept="*/*")
    assert program.json()["valid"] is True


def test_what_was_not_taken_back_is_told_in_words(
    server: LiveServer, issuer: dict[str, Any], credential: dict[str, Any]
) -> None:
    words = {"name": "Oars", "description": "Rows.", "criteria": {"narrative": "Row."}, "suspendable": True}
    achievement = server.create("/v3/achievements", issuer=issuer["id"], **words)["id"]
    recipient = {"type": "email", "identity": "ada@school.example"}
    suspendable = server.create("/v3/credentials", achievement=achievement, recipient=recipient)

    for badge, sentence in (
        (credential, "The issuer has not revoked it."),
        (suspendable, "The issuer has not suspended it."),
    ):
        assert sentence in send(server, {"text": json.dumps(badge)}).text


def test_a_hosted_badge_is_not_called_signed(server: LiveServer, credential: dict[str, Any]) -> None:
    text = send(server, {"url": credential["id"].replace("/v3/credentials/", "/v2/assertions/")}).text

    assert "<dd><bdi>hosted</bdi></dd>" in text
    assert "<strong>Valid.</strong>" in text
    assert "signed" not in text


def test_whose_it_is_and_from_when_on_is_told_in_words(server: LiveServer, achievement: dict[str, Any]) -> None:
    recipient = {"type": "email", "identity": "ada@school.example", "name": "Ada Lovelace"}
    dates = {"validFrom": "2026-01-31T12:00:00Z", "validUntil": "2999-02-01T12:00:00Z"}
    badge = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient, **dates)
    text = send(server, {}, json.dumps(badge).encode()).text

    for name, value in {
        "Recipient": "Ada Lovelace",
        "Valid from": moment_of(datetime(2026, 1, 31, 12, tzinfo=UTC)),
        "Valid until": moment_of(datetime(2999, 2, 1, 12, tzinfo=UTC)),
    }.items():
        assert f"<dt>{name}</dt><dd><bdi>{value}</bdi></dd>" in text
    unnamed = server.create("/v3/credentials", achievement=achievement["id"], recipient={**recipient, "name": None})
    assert "a hash of their e-mail address" in send(server, {}, json.dumps(unnamed).encode()).text
    broken = json.dumps({**badge, "validUntil": "soon"}).encode()
    assert "<dt>Valid until</dt><dd><bdi>soon</bdi></dd>" in send(server, {}, broken).text


def test_what_is_wrong_with_a_signature_is_told_once_in_the_list(
    server: LiveServer, achievement: dict[str, Any]
) -> None:
    award = {
        "achievement": achievement["id"],
        "recipient": {"type": "email", "identity": "ada@school.example"},
    }
    changed = {**server.create("/v3/credentials", **award), "validFrom": "2026-01-01T00:00:00Z"}
    content, signature = server.ask("POST", "/v3/credentials", json={**award, "format": "vc-jwt"}).text.rsplit(".", 1)
    for badge in (json.dumps(changed), f"{content}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"):
        text = send(server, {"text": badge}).text

        (check,) = [item for item in text.split("<li>") if "signature_invalid" in item]
        assert "The signature does not fit: the content was changed, or another key signed it." in check
        assert '<p class="text soft">' not in check


def test_that_it_has_expired_is_told_with_the_day(server: LiveServer, achievement: dict[str, Any]) -> None:
    recipient = {"type": "email", "identity": "ada@school.example"}
    dates = {"validFrom": "2026-01-01T12:00:00Z", "validUntil": "2026-01-31T12:00:00Z"}
    badge = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient, **dates)
    text = send(server, {}, json.dumps(badge).encode()).text

    assert (
        text.count(f"It expired on {moment_of(datetime(2026, 1, 31, 12, tzinfo=UTC))}.") == 2
    )  # the verdict, the check


def test_what_it_is_for_and_when_it_was_awarded_is_told(server: LiveServer, achievement: dict[str, Any]) -> None:
    recipient = {"type": "email", "identity": "ada@school.example"}
    dates = {"validFrom": "2026-01-31T12:00:00Z", "awardedDate": "2026-01-30T12:00:00Z"}
    badge = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient, **dates)

    text = send(server, {}, json.dumps(badge).encode()).text
    said = send(server, {}, json.dumps(badge).encode(), accept="application/json").json()["credential"]

    assert f'<p class="text">{achievement["description"]}</p>' in text
    assert f"<dt>Awarded</dt><dd><bdi>{day_of(datetime(2026, 1, 30, 12, tzinfo=UTC))}</bdi></dd>" in text
    assert (said["description"], said["awardedDate"]) == (achievement["description"], "2026-01-30T12:00:00Z")


@pytest.mark.parametrize("how", ["file", "url"])
def test_the_image_that_a_badge_is_baked_into_is_shown(
    server: LiveServer, credential: dict[str, Any], how: str
) -> None:
    image = server.get(f"{credential['id']}/image")
    data = {"url": f"{credential['id']}/image" if how == "url" else ""}

    text = send(server, data, image.content if how == "file" else b"").text

    assert "<strong>Valid.</strong>" in text
    shown = f"data:{image.headers['content-type']};base64,{b64encode(image.content).decode()}"
    assert f'<img src="{shown}" alt="The image that the badge is in"' in text
    assert "<img" not in send(server, {}, json.dumps(credential).encode()).text


def test_a_large_image_is_left_out() -> None:
    for size, shown in ((1000, True), (1_100_000, False)):
        report = Report(checks=(), shown=Shown(name="Knots"), picture=png().ljust(size, b"x"))
        assert (b"<img" in render_report_page(report)) is shown


def test_an_erased_one_is_called_so_at_its_address(server: LiveServer, achievement: dict[str, Any]) -> None:
    recipient = {"type": "email", "identity": "ada@school.example"}
    gone = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)["id"]
    assert server.ask("DELETE", gone).status_code == 204

    assert "has been erased." in send(server, {"url": gone}).text


def test_a_changed_one_is_not_and_it_is_said_why(server: LiveServer, credential: dict[str, Any]) -> None:
    text = send(server, {}, json.dumps(credential).replace("Ropes", "Knives").encode()).text

    assert "<strong>Not valid.</strong>" in text
    assert text.index('<strong class="bad">Wrong</strong>') < text.index(">Right</strong>")
    assert "The signature" in text.partition("<h2>")[0]


@pytest.mark.parametrize(("who", "verdict"), [("ada@school.example", "Valid"), ("eve@school.example", "Not valid")])
def test_it_is_somebodys_or_not(server: LiveServer, credential: dict[str, Any], who: str, verdict: str) -> None:
    text = send(server, {"recipient": who}, json.dumps(credential).encode()).text

    assert f"<strong>{verdict}.</strong>" in text


@pytest.mark.parametrize(
    ("data", "file", "status", "said"),
    [
        ({}, b"", 400, "No badge was given"),
        ({"url": "https://a.example"}, b"{}", 400, "More than one badge was given"),
        ({"url": "https://a.example", "text": "{}"}, b"", 400, "More than one badge was given"),
        ({"text": "Dear Sir"}, b"", 400, "There is no badge in this"),
        ({}, b"no badge", 400, "There is no badge in this"),
        ({}, b"%PDF-1.7\n\xe2\xe3", 400, "a PDF has no badge in it"),
        ({}, b"\n<!DOCTYPE html><html>", 400, "This is a web page"),
        ({}, b'\xef\xbb\xbf<HTML lang="en">', 400, "This is a web page"),
        ({}, b'{"type": "Op', 400, "It may be cut off or changed"),
        ({"url": "ftp://a.example/x"}, b"", 400, "Only https"),
        ({"url": "https://a.example/" + "x" * 100_000}, b"", 400, "Only https"),
        ({"link": "x"}, b"", 422, "is not a field"),
    ],
)
def test_what_cannot_be_checked_is_told_on_a_page(
    server: LiveServer, data: dict[str, str], file: bytes, status: int, said: str
) -> None:
    answer = send(server, data, file)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert (answer.status_code, said in answer.text.partition("<main>")[2]) == (status, True)
    assert send(server, data, file, accept="*/*").headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("achievement", "This describes what can be earned; it is no badge that somebody has earned."),
        ("issuer", "This describes who awards badges; it is no badge itself."),
    ],
)
def test_what_is_beside_a_badge_is_told_from_one(
    server: LiveServer, request: pytest.FixtureRequest, what: str, said: str
) -> None:
    assert said in send(server, {}, json.dumps(request.getfixturevalue(what)).encode()).text.partition("<h2>")[0]
    assert "This is no verifiable credential" in send(server, {}, b'{"name": "Ada"}').text.partition("<h2>")[0]


def test_what_could_not_be_looked_at_is_said_at_once_and_what_follows_from_that_below() -> None:
    checks = (
        Check(code=CheckCode.KEY, outcome=Outcome.UNKNOWN, sentence="Away.", problem=Problem.UNREACHABLE),
        Check(code=CheckCode.SIGNATURE, outcome=Outcome.UNKNOWN, sentence="Not seen.", problem=Problem.NOT_CHECKED),
        Check(code=CheckCode.STATUS, outcome=Outcome.FAIL, sentence="Revoked.", problem=Problem.REVOKED),
    )

    def said_first(*checks: Check) -> str:
        return render_report_page(Report(checks=checks)).decode().partition("<h2>")[0]

    assert "checked. Away.</span>" in said_first(*checks[:2])
    assert "Do not rely on it. Revoked.</span>" in said_first(*checks)


def test_a_report_leads_to_the_issuer_the_criteria_and_the_badge() -> None:
    shown = Shown(
        credential_id="https://a.example/badge",
        issuer_id="https://a.example/issuer",
        issuer_name="Academy",
        recipient="Ada",
        criteria="Three *nights*.",
        criteria_id="https://a.example/criteria",
        narrative="A calm *hand*.",
    )
    badge, endorsement = (
        render_report_page(Report(checks=(), shown=replace(shown, kind=kind))).decode()
        for kind in (Kind.BADGE, Kind.ENDORSEMENT)
    )

    assert "<dt>Issuer</dt><dd><bdi>Academy</bdi></dd>" in badge
    for link in (shown.issuer_id, shown.criteria_id, shown.credential_id):
        assert f'<a href="{link}" rel="noopener">{link}</a>' in badge
    assert "Anybody can use any name." in badge
    assert "<p>Three <em>nights</em>.</p>" in badge
    assert "<p>A calm <em>hand</em>.</p>" in badge.partition("<h2>About this award</h2>")[2]
    assert "<p>A calm <em>hand</em>.</p>" in endorsement.partition("<h2>What is said</h2>")[2]
    assert "<dt>Recipient</dt><dd><bdi>Ada</bdi></dd>" in badge
    assert "<dt>Endorsed</dt><dd><bdi>Ada</bdi></dd>" in endorsement


def test_nothing_in_a_report_becomes_markup_and_every_outcome_has_its_word() -> None:
    evil = "</style><script>alert(1)</script>\"'"
    words = {"Right", "Wrong", "Note", "Unknown", "Not checked"}
    checks = tuple(
        Check(
            code=CheckCode.STRUCTURE, outcome=outcome, sentence=evil, problem=Problem(next(iter(Problem))), detail=evil
        )
        for outcome in Outcome
    )
    link = "javascript:alert(1)"
    shown = Shown(
        name=evil, issuer_id=link, issuer_name=evil, recipient=evil, criteria_id=link, credential_id=link, awarded=evil
    )

    text = render_report_page(Report(checks=checks, shown=shown)).decode()

    assert "<script" not in text
    assert 'href="javascript:' not in text
    assert text.count("</style>") == 1
    assert {word for word in words if f">{word}</strong>" in text} == words
