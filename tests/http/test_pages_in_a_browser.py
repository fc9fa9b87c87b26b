"""The public pages in a real browser: what is on them is shown, styled, and comes from nowhere else."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.http.live_server import LiveServer
from tests.support.browser import Browser
from tests.support.described_answers import operations
from tests.support.waiting import eventually

# The pages are the same on every database.
pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)


def elsewhere(browser: Browser) -> list[str]:
    """What the page has loaded from other servers than its own."""
    loaded = browser.evaluate("return performance.getEntriesByType('resource').map(entry => entry.name)")
    own = urlsplit(browser.evaluate("return location.href")).netloc
    return [url for url in loaded if urlsplit(url).netloc not in ("", own)]


def test_a_credential_is_shown_with_its_image_and_its_style(
    server: LiveServer, credential: dict[str, Any], browser: Browser
) -> None:
    browser.open(credential["id"])

    assert browser.evaluate("return document.querySelector('h1').textContent") == "Knots <b>and</b> Ropes"
    assert "Ada & Co" in browser.evaluate("return document.querySelector('dl').innerText")
    assert browser.evaluate("return document.querySelector('main img').naturalWidth") > 0
    assert browser.evaluate("return document.querySelector('main img').alt") == "Badge: Knots <b>and</b> Ropes"
    assert browser.evaluate("return document.querySelector('[role=status]').innerText").startswith("Valid.")
    standing = "getComputedStyle(document.querySelector('.standing'))"
    assert browser.evaluate(f"return {standing}.borderLeftStyle") == "solid"
    assert browser.complaints() == []
    assert elsewhere(browser) == []


def test_on_paper_nothing_is_cut_off_and_there_is_nothing_to_press(
    server: LiveServer, issuer: dict[str, Any], browser: Browser
) -> None:
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Knots " * 300,
        description="1",
        criteria={"narrative": "Be there."},
    )
    recipient = {"type": "email", "identity": "ada@school.example", "name": "Ada " * 300}
    badge = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)
    cut = (
        "return [...document.querySelectorAll('h1, .by, dd')].filter(one => one.scrollHeight > one.clientHeight).length"
    )
    browser.prefer("light", media="print")
    browser.open(badge["id"])

    assert browser.evaluate(cut) == 0
    assert browser.evaluate("return document.querySelector('.actions a').getClientRects().length") == 0
    browser.prefer("light")
    assert browser.evaluate(cut) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_stands_in_an_empty_field_can_be_read(server: LiveServer, browser: Browser, scheme: str) -> None:
    browser.prefer(scheme)
    browser.open(f"{server.url}/verify")
    example = "getComputedStyle(document.getElementById('url'), '::placeholder')"
    soft = "getComputedStyle(document.querySelector('label .soft')).color"

    assert browser.evaluate(f"return [{example}.color === {soft}, {example}.opacity]") == [True, "1"]


def test_a_list_from_right_to_left_has_its_numbers_on_the_right(
    server: LiveServer, issuer: dict[str, Any], browser: Browser
) -> None:
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Night",
        description="1",
        criteria={"narrative": "1. ثلاث ليال\n2. امتحان"},
    )
    browser.open(achievement["id"])

    assert browser.evaluate("return getComputedStyle(document.querySelector('ol')).direction") == "rtl"


def test_a_page_keeps_off_the_edges_of_a_small_window(
    server: LiveServer, credential: dict[str, Any], browser: Browser
) -> None:
    browser.resize(690, 800)
    browser.open(credential["id"])

    assert browser.evaluate("return document.querySelector('main').getBoundingClientRect().left") == 16


def test_a_picture_element_shows_the_badge_from_its_own_address(
    server: LiveServer, credential: dict[str, Any], browser: Browser
) -> None:
    browser.open(credential["id"])
    shown = browser.evaluate(
        f"const image = new Image(); image.src = '{credential['id']}';"
        "return image.decode().then(() => image.naturalWidth)"
    )

    assert shown > 0


def test_who_awards_and_what_is_awarded_are_shown_to_whoever_follows_the_links(
    server: LiveServer, credential: dict[str, Any], browser: Browser
) -> None:
    for links, title in (
        (["More about what was earned"], "Knots <b>and</b> Ropes"),
        (["Riverside School"], "Riverside School"),
        (["Riverside School", "Knots <b>and</b> Ropes"], "Knots <b>and</b> Ropes"),
    ):
        browser.open(credential["id"])
        for link in links:
            found = f"[...document.querySelectorAll('a')].find(one => one.innerText === '{link}')"
            browser.open(browser.evaluate(f"return {found}.href"))

            assert browser.complaints() == []
            assert elsewhere(browser) == []
        assert browser.evaluate("return document.querySelector('h1').textContent") == title
        images = "[...document.querySelectorAll('main img')]"
        assert browser.evaluate(f"return {images}.every(one => one.naturalWidth > 0)")


@pytest.mark.parametrize("how", ["file", "url"])
def test_a_badge_is_verified_by_form(
    server: LiveServer, credential: dict[str, Any], browser: Browser, how: str
) -> None:
    browser.open(f"{server.url}/verify")
    if how == "url":
        fill = f"document.getElementById('url').value = '{credential['id']}';"
    else:
        fill = (
            f"const given = new DataTransfer(); given.items.add(new File([{json.dumps(json.dumps(credential))}], 'b'));"
            "document.getElementById('file').files = given.files;"
        )
    assert browser.complaints() == []

    browser.evaluate(f"{fill} document.querySelector('button').click()")

    assert eventually(lambda: browser.evaluate("return location.pathname") == "/v3/verify")
    verdict = "document.querySelector('[role=status] strong')"
    assert eventually(lambda: browser.evaluate(f"return {verdict} && {verdict}.innerText") == "Valid.")
    assert browser.complaints() == []
    assert elsewhere(browser) == []


def test_what_is_not_there_is_told_in_words_and_from_nowhere_else(server: LiveServer, browser: Browser) -> None:
    browser.open(f"{server.url}/v3/credentials/018f3c1a-0000-7000-8000-000000000000")

    assert browser.evaluate("return document.querySelector('h1').textContent") == "Not found"
    assert [said for said in browser.complaints() if "404" not in said] == []
    assert elsewhere(browser) == []


def test_what_it_offers_to_keep_is_what_was_signed(
    server: LiveServer, credential: dict[str, Any], browser: Browser
) -> None:
    browser.open(credential["id"])
    link = browser.evaluate("return document.querySelector('.actions a').href")

    assert server.get(link).json() == credential


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_long_and_foreign_names_fit_into_every_window(
    server: LiveServer, issuer: dict[str, Any], browser: Browser, width: int
) -> None:
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="שחמט 🏅 " + "x" * 2_000,
        description="ميناء " * 500,
        criteria={"narrative": "y" * 5_000, "id": "https://school.example/" + "z" * 300},
    )
    recipient = {"type": "email", "identity": "ada@school.example", "name": "W" * 1_000}
    badge = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)
    browser.resize(width, 800)
    browser.open(badge["id"])

    assert browser.evaluate("return document.scrollingElement.scrollWidth") <= width
    top = browser.evaluate("return document.querySelector('.standing').getBoundingClientRect().top")
    assert top < 800, "whether it holds stands near the top"
    for address in (achievement["id"], issuer["id"], f"{server.url}/verify"):
        browser.open(address)
        assert browser.evaluate("return document.scrollingElement.scrollWidth") <= width


def test_a_long_name_is_whole_on_a_phone_and_whether_it_holds_is_seen_at_once(
    server: LiveServer, issuer: dict[str, Any], browser: Browser
) -> None:
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Certificate of Proficiency in Coastal Navigation by Night under Adverse Conditions (Level 4)",
        description="All that it takes. " * 100,
        criteria={"narrative": "Be there."},
    )
    recipient = {"type": "email", "identity": "ada@school.example"}
    badge = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)
    browser.resize(360, 640)
    browser.open(badge["id"])

    assert (
        browser.evaluate("const name = document.querySelector('h1'); return name.scrollHeight - name.clientHeight") == 0
    )
    assert browser.evaluate("return document.querySelector('.standing').getBoundingClientRect().top") < 640


@pytest.mark.parametrize("width", [360, 1280])
def test_a_title_that_runs_from_the_right_begins_all_its_lines_there(
    server: LiveServer, issuer: dict[str, Any], browser: Browser, width: int
) -> None:
    title = "شهادة في عقد الحبال والبحرية المتقدمة مع شرح لكل عقدة من العقد البحرية"
    achievement = server.create(
        "/v3/achievements", issuer=issuer["id"], name=title, description=".", criteria={"narrative": "."}
    )
    browser.resize(width, 800)
    browser.open(achievement["id"])

    ends = browser.evaluate("""
        const title = document.createRange();
        title.selectNodeContents(document.querySelector('h1 bdi'));
        return [...title.getClientRects()].map(line => Math.round(line.right));
    """)
    assert len(ends) > 1
    assert len(set(ends)) == 1


def test_the_form_can_be_seen_and_each_of_its_fields_has_its_label(server: LiveServer, browser: Browser) -> None:
    browser.open(f"{server.url}/verify")

    fields = "[...document.querySelectorAll('input, textarea')]"
    assert browser.evaluate(f"return {fields}.map(one => one.labels.length)") == [1, 1, 1, 1]
    # 3 to 1 at least (WCAG 2.2, 1.4.11): what `--soft` has on paper, and a line between two rows has not.
    edge = "getComputedStyle(document.querySelector('input')).borderTopColor"
    soft = "getComputedStyle(document.querySelector('label .soft')).color"
    assert browser.evaluate(f"return {edge} === {soft}")


def test_a_revoked_one_says_so(server: LiveServer, achievement: dict[str, Any], browser: Browser) -> None:
    recipient = {"type": "email", "identity": "eve@school.example"}
    badge = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)
    revocation = {"status": "revoked", "reason": "Untied <i>again</i>"}
    assert server.ask("POST", f"{badge['id']}/status", json=revocation).status_code == 200
    browser.open(badge["id"])

    assert browser.evaluate("return document.querySelector('.standing').innerText") == (
        browser.evaluate("return document.querySelector('.standing.bad').innerText")
    )
    assert "Untied <i>again</i>" in browser.evaluate("return document.querySelector('.standing').innerText")


def test_the_reference_of_the_interface_is_a_page_of_our_own(server: LiveServer, browser: Browser) -> None:
    browser.open(f"{server.url}/docs")

    assert "/v3/credentials" in browser.evaluate("return document.body.innerText")
    assert browser.evaluate("return document.querySelectorAll('details').length") == len(operations())
    assert browser.complaints() == []
    assert elsewhere(browser) == []


def test_whoever_opens_the_server_itself_is_shown_the_way_to_the_form(server: LiveServer, browser: Browser) -> None:
    browser.open(server.url)
    link = browser.evaluate("return [...document.links].find(one => one.innerText === 'Is this badge real?').href")

    assert link == f"{server.url}/verify"


def test_on_paper_the_reference_lists_every_route(server: LiveServer, browser: Browser) -> None:
    browser.prefer("light", media="print")
    browser.open(f"{server.url}/docs")

    listed = "[...document.querySelectorAll('summary')].filter(one => one.getClientRects().length)"
    assert browser.evaluate(f"return {listed}.length") == len(operations())


@pytest.mark.parametrize("width", [320, 1280])
def test_a_route_opens_to_its_parameters_example_and_errors(server: LiveServer, browser: Browser, width: int) -> None:
    browser.resize(width, 800)
    browser.open(f"{server.url}/docs#issue_credential")
    route = "document.querySelector('#issue_credential')"
    assert not browser.evaluate(f"return {route}.innerText.includes('recipient')"), "closed at first"
    browser.evaluate(f"{route}.querySelector('summary').click()")

    shown = browser.evaluate(f"return {route}.innerText")
    assert "achievement needed" in " ".join(shown.split())
    assert f'curl --request POST "{server.url}/v3/credentials"' in shown
    assert "unsupported_media_type" in shown
    assert browser.evaluate("return document.scrollingElement.scrollWidth") <= width
    browser.evaluate(f"[...{route}.querySelectorAll('a')].find(link => link.innerText === 'forbidden').click()")
    assert "You are not allowed to do that" in browser.evaluate("return document.querySelector(':target').innerText")


@pytest.mark.parametrize(
    ("width", "whole"), [(320, "#issue_credential table:last-child th code"), (1280, "#issue_credential tbody th code")]
)
def test_a_narrow_column_does_not_cut_words(server: LiveServer, browser: Browser, width: int, whole: str) -> None:
    browser.resize(width, 800)
    browser.open(f"{server.url}/docs")
    browser.evaluate("document.querySelector('#issue_credential').open = true")

    lines = f"[...document.querySelectorAll('{whole}')].map(one => [one.innerText, one.getClientRects().length])"
    assert [name for name, number in browser.evaluate(f"return {lines}") if number > 1 and "-" not in name] == []


def test_every_error_that_a_route_names_is_explained(server: LiveServer) -> None:
    named = set(re.findall(r'href="docs/errors#(\w+)"', server.get("/docs").text))
    explained = set(re.findall(r'<tr id="(\w+)">', server.get("/docs/errors").text))

    assert "not_suspendable" in named
    assert named <= explained
