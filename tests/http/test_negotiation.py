"""Which form of a resource a client gets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.http.errors import NotAcceptable
from lapel.http.negotiation import choose
from tests.http.live_server import LiveServer, live_server

FORMS = ("application/vc", "application/ld+json", "application/json", "text/html")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/vc"),
        ("", "application/vc"),
        ("*/*", "application/vc"),
        (BROWSER, "text/html"),
        ("application/json", "application/json"),
        ("APPLICATION/JSON", "application/json"),
        ("application/json, */*;q=0.1", "application/json"),
        ("text/html;q=0.4, application/*", "application/vc"),
        ("application/*;q=0.2, text/*;q=0.9", "text/html"),
        ("*/*, application/vc;q=0", "application/ld+json"),
        ("application/json;profile=x;q=0.5, text/html;q=0.6", "text/html"),
        ("application/ld+json; q=oops, application/json;q=0.1", "application/json"),
        ("x" * 5000, "application/vc"),
        # What programs in Java send that say nothing of their own: until version 20, and since.
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/vc"),
        ("text/html, image/gif, image/jpeg, */*; q=0.2", "application/vc"),
    ],
)
def test_the_best_liked_form_is_chosen(accept: str | None, expected: str) -> None:
    assert choose(accept, FORMS) == expected


@pytest.mark.parametrize("accept", ["image/png", "text/html;q=0, image/*", "application/vc;q=nan"])
def test_a_client_that_likes_none_is_told_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose(accept, FORMS)
    assert "application/vc" in str(caught.value.hint)


@given(st.text(max_size=200))
def test_no_header_breaks_it(accept: str) -> None:
    with contextlib.suppress(NotAcceptable):
        assert choose(accept, FORMS) in FORMS


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server({"SQLITE_FILE": ":memory:"}) as server:
        yield server


def get(server: LiveServer, path: str, name: str, *lines: str) -> httpx.Response:
    with server.client as client:
        del client.headers["accept"]
        return client.get(path, headers=[(name, line) for line in lines])


@pytest.mark.parametrize("lines", [("application/json;q=0.5", "text/html"), ("text/html", "application/json;q=0.5")])
def test_several_lines_say_as_much_as_one(server: LiveServer, lines: tuple[str, ...]) -> None:
    """RFC 9110, 5.3."""
    issuer = server.create("/v3/issuers", name="The School", url="https://school.example")["id"].rpartition("/")[2]
    for path in (f"/v3/issuers/{issuer}", "/v3/issuers/none", "/nowhere"):
        assert get(server, path, "accept", *lines).headers["content-type"].startswith("text/html"), path


def test_one_of_several_lines_may_name_what_the_client_has(server: LiveServer) -> None:
    page = server.get("/verify")
    assert get(server, "/verify", "if-none-match", '"another"', page.headers["etag"]).status_code == 304
