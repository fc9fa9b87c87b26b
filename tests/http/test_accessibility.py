"""Every page for everybody: by keyboard, by ear, enlarged, in the dark (WCAG 2.2, level AA)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lapel.web import pages as rendering
from tests.http.live_server import LiveServer
from tests.support.browser import Browser
from tests.support.waiting import eventually

# The pages are the same on every database.
pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

TEMPLATES = sorted(
    {each.name for each in Path(rendering.__file__).parent.glob("templates/*.html")} - {"layout.html", "parts.html"}
)
every_page = pytest.mark.parametrize("template", TEMPLATES)

OPERABLE = "a, button, input, textarea, summary, [tabindex]"


@pytest.fixture(scope="module")
def addresses(server: LiveServer, credential: dict[str, Any]) -> dict[str, list[str]]:
    """Where pages of each template are. That of a report is behind the form."""
    issuer = server.create("/v3/issuers", name="Ropewalk " * 400, url="https://ropes.example")
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Splicing " * 400,
        description="Joins. " * 1_000,
        criteria={
            "narrative": "# Rope\n\n1. Join\n\n[Rules](https://ropes.example/rules)",
            "id": "https://ropes.example",
        },
        tag=["ropes"],
    )
    recipient = {"type": "email", "identity": "ada@school.example", "name": "Ada " * 1_000}
    award = {"achievement": achievement["id"], "recipient": recipient}
    long, revoked = (server.create("/v3/credentials", **award)["id"] for _ in range(2))
    assert server.ask("POST", f"{revoked}/status", json={"status": "revoked", "reason": "Untied."}).status_code == 200
    endorsement = {"issuer": credential["issuer"]["id"], "endorsed": achievement["id"], "comment": "Good *rope*."}
    endorsed = server.ask("POST", "/v3/endorsements", json=endorsement).headers["location"]
    return {
        "achievement.html": [credential["credentialSubject"]["achievement"]["id"], achievement["id"]],
        "credential.html": [credential["id"], long, revoked, endorsed],
        "docs.html": [f"{server.url}/docs"],
        "errors.html": [f"{server.url}/docs/errors"],
        "issuer.html": [credential["issuer"]["id"], issuer["id"]],
        "problem.html": [f"{server.url}/v3/nothing"],
        "report.html": [f"{server.url}/verify?url={given}" for given in (credential["id"], long, revoked)],
        "verify.html": [f"{server.url}/verify"],
    }


def visit(browser: Browser, template: str, address: str) -> None:
    """Open a page, and on it whatever can be opened."""
    browser.open(address)
    if template == "report.html":
        browser.evaluate("document.querySelector('button').click()")
        assert eventually(lambda: browser.evaluate("return !!document.querySelector('.checks')"))
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


@every_page
def test_who_listens_finds_the_way(addresses: dict[str, list[str]], browser: Browser, template: str) -> None:
    for address in addresses[template]:
        visit(browser, template, address)
        announced = browser.announced()

        roles = [role for role, _ in announced]
        assert (roles.count("main"), roles.count("RootWebArea")) == (1, 1)
        controls = ("RootWebArea", "link", "button", "textbox", "image", "heading", "region", "DisclosureTriangle")
        assert [role for role, name in announced if role in controls and not name.strip()] == []
        assert browser.evaluate("return document.documentElement.lang") == "en"
        levels = browser.evaluate("return [...document.querySelectorAll('h1,h2,h3,h4')].map(one => +one.tagName[1])")
        assert (levels[0], levels.count(1)) == (1, 1)
        assert all(level <= before + 1 for before, level in pairwise(levels))
        assert roles.count("table") <= min(roles.count("columnheader"), roles.count("rowheader"))


def test_each_page_has_a_title_of_its_own(addresses: dict[str, list[str]], browser: Browser) -> None:
    titles = []
    for template, pages in addresses.items():
        visit(browser, template, pages[0])
        titles.append(browser.evaluate("return document.title"))

    assert len(set(titles)) == len(titles)


@every_page
def test_the_keyboard_leads_to_everything_in_order_and_shows_where_it_is(
    addresses: dict[str, list[str]], browser: Browser, template: str
) -> None:
    for address in addresses[template]:
        visit(browser, template, address)
        browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
        operable = f"[...document.querySelectorAll('{OPERABLE}')].filter(one => one.checkVisibility())"
        for at in range(browser.evaluate(f"return {operable}.length")):
            browser.press_tab()
            shown = browser.evaluate(
                f"const own = document.activeElement, {{outlineStyle, outlineWidth}} = getComputedStyle(own);"
                f"return [{operable}.indexOf(own), outlineStyle, outlineWidth]"
            )
            assert shown == [at, "solid", "2px"]
        browser.press_tab()
        assert browser.evaluate("return document.activeElement === document.body"), "there is a way out"


@every_page
def test_what_scrolls_can_be_scrolled_by_keyboard(
    addresses: dict[str, list[str]], browser: Browser, template: str
) -> None:
    for address in addresses[template]:
        visit(browser, template, address)
        out_of_reach = browser.evaluate(
            "return [...document.querySelectorAll('main *')].filter(one => one.clientHeight && one.tabIndex < 0"
            " && (one.scrollHeight > one.clientHeight || one.scrollWidth > one.clientWidth)"
            " && getComputedStyle(one).overflow.includes('auto')).map(one => one.outerHTML.slice(0, 80))"
        )
        assert out_of_reach == []


@every_page
def test_all_but_links_in_a_text_can_be_hit(addresses: dict[str, list[str]], browser: Browser, template: str) -> None:
    for address in addresses[template]:
        visit(browser, template, address)
        small = browser.evaluate(
            f"return [...document.querySelectorAll('{OPERABLE}')].filter(one => {{"
            " const {width, height} = one.getBoundingClientRect();"
            " return getComputedStyle(one).display !== 'inline' && height && (width < 24 || height < 24);"
            "}).map(one => one.outerHTML)"
        )
        assert small == []


# Of each text on the page, its contrast to what is behind it (WCAG 2.2, 1.4.3).
CONTRASTS = """
const light = text => text.match(/[0-9.]+/g).slice(0, 3).map(Number)
    .map(part => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0.05);
const behind = one => {
    const color = getComputedStyle(one).backgroundColor;
    return color === 'rgba(0, 0, 0, 0)' ? behind(one.parentElement) : color;
};
return [...document.querySelectorAll('main *')].filter(one => one.innerText).map(one => {
    const pair = [light(getComputedStyle(one).color), light(behind(one))];
    return [one.tagName + '.' + one.className, Math.max(...pair) / Math.min(...pair)];
});
"""


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_the_light_and_in_the_dark(
    addresses: dict[str, list[str]], browser: Browser, template: str, scheme: str
) -> None:
    browser.prefer(scheme)
    for address in addresses[template]:
        visit(browser, template, address)
        faint = [(name, contrast) for name, contrast in browser.evaluate(CONTRASTS) if contrast < 4.5]

        assert not faint
        paper = browser.evaluate("return getComputedStyle(document.querySelector('main')).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


@every_page
def test_twice_as_large_it_still_fits_into_the_smallest_window(
    addresses: dict[str, list[str]], browser: Browser, template: str
) -> None:
    browser.resize(320, 640)
    for address in addresses[template]:
        visit(browser, template, address)
        browser.evaluate("document.documentElement.style.fontSize = '200%'")

        assert browser.evaluate("return document.scrollingElement.scrollWidth") <= 320


@every_page
def test_it_is_whole_without_scripts_and_loads_nothing_from_elsewhere(
    server: LiveServer, addresses: dict[str, list[str]], browser: Browser, template: str
) -> None:
    for address in addresses[template]:
        browser.complaints()
        visit(browser, template, address)
        loaded = browser.evaluate("return performance.getEntriesByType('resource').map(entry => entry.name)")

        assert browser.evaluate("return document.scripts.length") == 0
        assert [url for url in loaded if not url.startswith((f"{server.url}/", "data:"))] == []
        assert [said for said in browser.complaints() if "404" not in said] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_badge_that_was_drawn_on_white_is_seen_in_the_dark(
    browser: Browser, credential: dict[str, Any], scheme: str
) -> None:
    browser.prefer(scheme)
    browser.open(credential["id"])

    behind = browser.evaluate("return getComputedStyle(document.querySelector('main img')).backgroundColor")
    assert behind == "rgb(255, 255, 255)"
