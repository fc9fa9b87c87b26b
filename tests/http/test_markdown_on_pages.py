"""What Open Badges say is Markdown is rendered on every page that shows it, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lapel.services.verifying.open_badges_2.assertion import Badge, shown_assertion
from tests.http.live_server import LiveServer
from tests.http.test_verification_page import BROWSER, send

CRITERIA = "**Three** nights, see [the rules](https://school.example/rules)."
CRITERIA_SHOWN = (
    "<p><strong>Three</strong> nights, see "
    '<a href="https://school.example/rules" rel="nofollow ugc noopener">the rules</a>.</p>'
)


@pytest.fixture(scope="module")
def written(server: LiveServer, issuer: dict[str, Any]) -> dict[str, Any]:
    """A credential with Markdown wherever it may be, and where it may not."""
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="*Night* Sailing",
        description="Sails **safely**.",
        criteria={"narrative": CRITERIA},
        inLanguage="en-GB",
    )
    return server.create(
        "/v3/credentials",
        achievement=achievement["id"],
        recipient={"type": "email", "identity": "ada@school.example"},
        narrative="> Well *done*.",
        evidence=[{"name": "Log", "description": "_Plain_.", "narrative": "1. Out\n2. Back"}],
    )


def test_the_page_of_a_badge_renders_what_is_markdown_and_leaves_the_rest(
    server: LiveServer, written: dict[str, Any]
) -> None:
    text = server.get(written["id"], **BROWSER).text

    assert f'<div class="prose" dir="auto" lang="en-GB">{CRITERIA_SHOWN}' in text
    assert "<blockquote>\n<p>Well <em>done</em>.</p>\n</blockquote>" in text
    assert "<ol>\n<li>Out</li>\n<li>Back</li>\n</ol>" in text
    for plain in ("*Night* Sailing", "Sails **safely**.", "_Plain_."):
        assert f">{plain}<" in text
    assert '<meta property="og:description" content="Sails **safely**.">' in text


def test_the_page_of_an_achievement_renders_how_it_is_earned(server: LiveServer, written: dict[str, Any]) -> None:
    text = server.get(written["credentialSubject"]["achievement"]["id"], **BROWSER).text

    assert f'<div class="prose" dir="auto" lang="en-GB">{CRITERIA_SHOWN}' in text
    assert ">Sails **safely**.<" in text


def test_what_was_found_of_a_badge_tells_how_it_is_earned_and_what_is_said_of_whoever_has(
    server: LiveServer, written: dict[str, Any]
) -> None:
    text = send(server, {}, json.dumps(written).encode()).text

    assert f'<h2>How it is earned</h2>\n<div class="prose" dir="auto">{CRITERIA_SHOWN}' in text
    assert '<h2>About this award</h2>\n<div class="prose" dir="auto"><blockquote>\n<p>Well <em>done</em>.' in text
    assert ">Sails **safely**.<" in text


def test_an_endorsement_says_what_it_says(server: LiveServer, written: dict[str, Any]) -> None:
    endorsement = server.create("/v3/endorsements", endorsed=written["id"], comment="*Held*, <b>indeed</b>.")

    for text in (
        server.get(endorsement["id"], **BROWSER).text,
        send(server, {}, json.dumps(endorsement).encode()).text,
    ):
        assert "<h2>What is said</h2>" in text
        assert '<div class="prose" dir="auto"><p><em>Held</em>, &lt;b&gt;indeed&lt;/b&gt;.</p>' in text


@pytest.mark.parametrize(
    ("criteria", "told"),
    [
        ("https://a.example/c", (None, "https://a.example/c")),
        ({"id": "https://a.example/c", "narrative": "*Be* there."}, ("*Be* there.", "https://a.example/c")),
        (["odd"], (None, None)),
    ],
)
def test_an_open_badge_2_tells_it_too(criteria: Any, told: tuple[str | None, str | None]) -> None:
    shown = shown_assertion(
        Badge(assertion={"narrative": "So."}, badge_class={"criteria": criteria}, issuer={}), format_name="hosted"
    )

    assert (shown.criteria, shown.criteria_id) == told
    assert shown.narrative == "So."
