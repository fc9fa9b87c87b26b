"""What goes wrong, for who has opened it in a browser: a page with the same status, code and headers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.live_server import LiveServer, live_server

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NOBODY = "018f3c1a-0000-7000-8000-000000000000"
OWN = ("content-type", "content-length", "date", "x-request-id")
"""Header fields in which a page differs from the document; and those that only a page has follow."""
OF_PAGES = ("content-security-policy", "cross-origin-opener-policy", "permissions-policy", "vary")


def page_like(page: Any, document: Any) -> str:
    """The text of the page, where it says what the document says, under the same headers."""
    problem = document.json()
    assert document.headers["content-type"] == "application/problem+json"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.status_code == document.status_code == problem["status"]
    shown, told = (
        {name: value for name, value in answer.headers.items() if name not in (*OWN, *OF_PAGES)}
        for answer in (page, document)
    )
    assert shown == told
    assert page.headers["vary"] == "Accept"
    assert f"<code>{problem['code']}</code>" in page.text
    assert page.headers["x-request-id"] in page.text
    return str(page.text)


@pytest.mark.parametrize(
    ("method", "path", "status", "heading"),
    [
        ("GET", "/v3/nothing/here", 404, "Not found"),
        ("GET", f"/v3/images/{NOBODY}", 404, "Not found"),
        ("GET", f"/v2/assertions/{NOBODY}", 404, "Not found"),
        ("GET", "/v3/verify", 405, "Not a page"),
        ("POST", "/verify", 405, "Not a page"),
        ("GET", "/v3/issuers", 401, "Not open to everybody"),
        ("GET", "/verify?adress=x", 400, "This did not work"),
    ],
)
def test_a_browser_is_told_on_a_page(server: LiveServer, method: str, path: str, status: int, heading: str) -> None:
    with server.client as client:
        page, document = (client.request(method, path, headers=headers) for headers in (BROWSER, {}))

    text = page_like(page, document)
    assert page.status_code == status
    assert f"<h1>{heading}</h1>" in text
    assert f'<a href="{server.url}/verify">Check a badge</a>' in text


def test_the_hint_leads_to_the_reference_that_it_names(server: LiveServer) -> None:
    text = server.get("/v3/nothing/here", **BROWSER).text

    assert f'<a href="{server.url}/docs">/docs</a> lists every address.' in text


def test_so_it_is_where_the_image_of_an_erased_one_was(server: LiveServer, achievement: dict[str, Any]) -> None:
    recipient = {"type": "email", "identity": "eve@school.example"}
    gone = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)["id"]
    assert server.ask("DELETE", gone).status_code == 204

    for address in (gone, f"{gone}/image"):
        page, document = server.get(address, **BROWSER), server.get(address)
        assert page.status_code == 410
        assert "<h1>No longer here</h1>" in page_like(page, document)


def test_so_it_is_where_a_file_is_too_large(server: LiveServer) -> None:
    with server.client as client:
        page, document = (
            client.post("/v3/verify", files={"file": ("badge.png", b" " * 2_000_001)}, headers=headers)
            for headers in (BROWSER, {})
        )

    assert page.status_code == 413
    assert "<h1>Too large</h1>" in page_like(page, document)


def test_so_it_is_for_who_asks_too_often_for_anything() -> None:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT_REQUESTS": "1"}) as server:
        assert server.get("/verify").status_code == 200
        page, document = server.get("/verify", **BROWSER), server.get("/verify")

    text = page_like(page, document)
    assert page.status_code == 429
    assert int(page.headers["retry-after"]) >= 1
    assert "<h1>Too often</h1>" in text
    assert "Try again in" in text
