"""Lists, page by page."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.http.errors import BadCursor
from lapel.http.paging import decode_cursor, encode_cursor
from tests.http.live_server import LiveServer


@given(st.uuids(), st.binary(max_size=800), st.text())
def test_a_cursor_leads_back_to_its_place(last: UUID, key: bytes, of: str) -> None:
    assert decode_cursor(encode_cursor(last, key, of=of), of=of) == (last, key)


@given(st.uuids(), st.binary(max_size=40), st.text(), st.text())
def test_a_cursor_is_of_one_list(last: UUID, key: bytes, of: str, other: str) -> None:
    if of != other:
        with pytest.raises(BadCursor):
            decode_cursor(encode_cursor(last, key, of=of), of=other)


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(text)


@given(st.uuids(), st.integers(0, 26), st.sampled_from("ABCxyz019-_="))
def test_a_changed_cursor_is_refused(last: UUID, position: int, character: str) -> None:
    cursor = encode_cursor(last)
    changed = cursor[:position] + character + cursor[position + 1 :]
    if changed != cursor:
        with pytest.raises(BadCursor):
            decode_cursor(changed)


def test_pages_follow_one_another_newest_first(server: LiveServer) -> None:
    made = [server.create("/v3/issuers", name=f"Issuer {number}")["id"] for number in range(5)]

    seen: list[str] = []
    path, pages = "/v3/issuers?limit=2", 0
    while path:
        response = server.ask("GET", path)
        body: dict[str, Any] = response.json()
        assert len(body["items"]) <= 2
        seen += [item["id"] for item in body["items"]]
        following = body["next"]
        assert response.headers.get("link") == (f'<{following}>; rel="next"' if following else None)
        assert following is None or following.startswith(f"{server.url}/v3/issuers?")
        path, pages = following, pages + 1

    assert seen[:5] == made[::-1]
    assert len(seen) == len(set(seen))
    assert pages >= 3


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "", "9" * 30, "１"])
def test_a_limit_out_of_range_is_a_400(server: LiveServer, limit: str) -> None:
    response = server.ask("GET", "/v3/issuers", params={"limit": limit})

    assert response.status_code == 400
    assert response.json()["code"] == "malformed_request"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v3/issuers", "The parameters are limit, cursor, name."),
        ("/v3/achievements", "The parameters are limit, cursor, issuer, name."),
        (
            "/v3/credentials",
            "The parameters are limit, cursor, issuer, achievement, recipient, recipientType, status, issuedSince, "
            "issuedBefore, validFromSince, validFromBefore.",
        ),
    ],
)
def test_a_parameter_that_a_list_does_not_take_is_a_400(server: LiveServer, path: str, allowed: str) -> None:
    response = server.ask("GET", path, params={"isuer": "x"})

    assert response.status_code == 400
    assert "isuer" in response.json()["detail"]
    assert response.json()["hint"] == allowed


def test_a_parameter_that_comes_twice_is_a_400(server: LiveServer) -> None:
    assert server.ask("GET", "/v3/issuers?limit=1&limit=2").status_code == 400


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "\x00", "A" * 27, "A" * 5000])
def test_a_mangled_cursor_is_a_400(server: LiveServer, cursor: str) -> None:
    response = server.ask("GET", "/v3/credentials", params={"cursor": cursor})

    assert response.status_code == 400
    assert response.json()["code"] == "bad_cursor"


def test_a_list_can_be_narrowed_by_id_urn_or_url(server: LiveServer, achievement: dict[str, Any]) -> None:
    uuid = achievement["id"].rpartition("/")[2]
    credential = server.create(
        "/v3/credentials",
        achievement=uuid,
        recipient={"type": "email", "identity": "bea@school.example"},
    )
    for spelling in (uuid, f"urn:uuid:{uuid}", achievement["id"]):
        items = server.ask("GET", "/v3/credentials", params={"achievement": spelling}).json()["items"]
        assert [item["id"] for item in items] == [credential["id"]]
    assert server.ask("GET", "/v3/credentials", params={"achievement": str(uuid4())}).json()["items"] == []
    assert server.ask("GET", "/v3/credentials", params={"achievement": "nonsense"}).status_code == 400
