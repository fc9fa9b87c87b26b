"""Lists, narrowed: by whom, for what, to whom, how it stands, since when; names by what they begin with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from tests.http.live_server import LiveServer
from tests.http.test_concurrency import new_achievement


def read_all(server: LiveServer, path: str, **query: object) -> Iterator[dict[str, Any]]:
    """Every item of a list, page by page."""
    following: str | None = path
    params: Any = None if "?" in path else {"limit": 2, **query}
    while following:
        response = server.ask("GET", following, params=params)
        assert response.status_code == 200, response.text
        yield from response.json()["items"]
        following, params = response.json()["next"], None


def ids(server: LiveServer, **query: object) -> list[str]:
    return [item["id"] for item in read_all(server, "/v3/credentials", **query)]


@pytest.fixture(scope="module")
def issued(server: LiveServer) -> list[dict[str, Any]]:
    """Credentials of one achievement, oldest first."""
    _, achievement = new_achievement(server, suspendable=True)
    recipients = (
        {"type": "email", "identity": "Bea@Sea.example"},
        {"type": "email", "identity": "bea@sea.example", "hashed": False},
        {"type": "did", "identity": "did:example:bea"},
        {"type": "url", "identity": "https://sea.example/bea"},
        {"type": "phone", "identity": "+44 20 7946 0999"},
        {"type": "email", "identity": "cyd@sea.example"},
    )
    made = [
        server.create(
            "/v3/credentials",
            achievement=achievement["id"],
            recipient=recipient,
            validFrom=f"2020-01-0{1 + number // 2}T00:00:00Z",
        )
        for number, recipient in enumerate(recipients)
    ]
    server.ask("POST", f"{made[1]['id']}/status", json={"status": "revoked"})
    server.ask("POST", f"{made[4]['id']}/status", json={"status": "suspended"})
    return made


def achievement_of(issued: list[dict[str, Any]]) -> str:
    found: str = issued[0]["credentialSubject"]["achievement"]["id"]
    return found


def test_lists_say_of_what_kind_a_recipient_is_in_the_words_of_requests(
    server: LiveServer, issued: list[dict[str, Any]]
) -> None:
    items = read_all(server, "/v3/credentials", achievement=achievement_of(issued))

    assert [item["recipientType"] for item in items] == ["email", "phone", "url", "did", "email", "email"]


def test_an_issuer_that_is_a_did_is_found_by_it(server: LiveServer) -> None:
    made = server.ask("POST", "/v3/issuers", json={"name": "By DID", "identity": "did:key"})
    did, criteria = made.json()["id"], {"narrative": "Tie ten."}
    known = server.create("/v3/achievements", issuer=did, name="Knots", description="Ties.", criteria=criteria)["id"]
    recipient = {"type": "email", "identity": "dan@sea.example"}
    badge = server.create("/v3/credentials", achievement=known, recipient=recipient)["id"]

    assert ids(server, issuer=did) == [badge]
    assert [item["id"] for item in read_all(server, "/v3/achievements", issuer=did)] == [known]
    for path in ("/v3/credentials", "/v3/achievements"):
        refused = server.ask("GET", path, params={"issuer": "did:key:z6Mk"})
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"recipient": "BEA@sea.example"}, [1, 0]),
        ({"recipient": "bea@sea.example", "recipientType": "email", "status": "active"}, [0]),
        ({"recipient": "did:example:bea"}, [2]),
        ({"recipient": "https://sea.example/bea"}, [3]),
        ({"recipient": "+44 (0)20 7946 0999"}, []),
        ({"recipient": "+442079460999"}, [4]),
        ({"recipient": "+442079460999", "recipientType": "telephone"}, [4]),
        ({"recipient": "dan@sea.example"}, []),
        ({"status": "revoked"}, [1]),
        ({"status": "suspended"}, [4]),
        ({"status": "active"}, [5, 3, 2, 0]),
        ({"validFromSince": "2020-01-02"}, [5, 4, 3, 2]),
        ({"validFromBefore": "2020-01-02T00:00:00+00:00"}, [1, 0]),
        ({"validFromSince": "2020-01-02", "validFromBefore": "2020-01-03", "status": "active"}, [3, 2]),
        ({"issuedSince": "2021-01-01"}, [5, 4, 3, 2, 1, 0]),
        ({"issuedBefore": "2021-01-01"}, []),
        ({"issuedSince": "2999-12-31T23:59:59Z"}, []),
        ({"issuedSince": "0001-01-01", "issuedBefore": "9999-12-31"}, [5, 4, 3, 2, 1, 0]),
    ],
)
def test_what_is_asked_for_is_found(
    server: LiveServer, issued: list[dict[str, Any]], query: dict[str, str], found: list[int]
) -> None:
    wanted = [issued[number]["id"] for number in found]

    assert ids(server, achievement=achievement_of(issued), **query) == wanted


def test_the_moment_of_an_item_finds_it_again(server: LiveServer, issued: list[dict[str, Any]]) -> None:
    items = list(read_all(server, "/v3/credentials", achievement=achievement_of(issued)))
    for item in items:
        since = ids(server, achievement=achievement_of(issued), issuedSince=item["createdAt"])
        before = ids(server, achievement=achievement_of(issued), issuedBefore=item["createdAt"])
        assert item["id"] in since
        assert item["id"] not in before
        assert len(since) + len(before) == len(items)


@pytest.mark.parametrize(
    "query",
    [
        {"status": "gone"},
        {"status": ""},
        {"recipient": ""},
        {"recipient": "not an address@"},
        {"recipient": "x@y.example\x00"},
        {"recipient": "a@b.example", "recipientType": "iris"},
        {"recipient": "a@b.example", "recipientType": "did"},
        {"recipientType": "email"},
        {"issuedSince": "yesterday"},
        {"issuedSince": "2026-01-31T12:00:00"},
        {"issuedBefore": "2026-02-30"},
        {"validFromSince": "0001-01-01T00:00:00+12:00"},
        {"validFromBefore": ""},
    ],
)
def test_what_cannot_be_asked_for_is_a_400(server: LiveServer, query: dict[str, str]) -> None:
    response = server.ask("GET", "/v3/credentials", params=query)

    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")
    assert next(iter(query)) in response.json()["detail"] or "recipientType" in response.json()["detail"]


def test_a_recipient_of_no_known_form_could_have_been_any(server: LiveServer) -> None:
    problem = server.ask("GET", "/v3/credentials", params={"recipient": "ada"}).json()

    assert problem["detail"] == "recipient must be an e-mail address, DID, web address or phone number."
    assert "ada@example.org" in problem["hint"]


def test_a_cursor_goes_on_in_its_own_list_only(server: LiveServer, issued: list[dict[str, Any]]) -> None:
    first = server.ask("GET", "/v3/credentials", params={"achievement": achievement_of(issued), "limit": 1}).json()
    query = {name: values[0] for name, values in parse_qs(urlsplit(first["next"]).query).items()}

    for change in (
        {"status": "active"},
        {"achievement": str(uuid4())},
        {"validFromSince": "2020-01-01"},
        {"recipient": "bea@sea.example"},
    ):
        response = server.ask("GET", "/v3/credentials", params={**query, **change})
        assert (response.status_code, response.json()["code"]) == (400, "bad_cursor")
    assert server.ask("GET", "/v3/issuers", params={"cursor": query["cursor"]}).status_code == 400
    # How many there are on a page may change from one to the next.
    assert server.ask("GET", "/v3/credentials", params={**query, "limit": "50"}).status_code == 200


def test_a_page_that_has_been_deleted_under_its_reader_leads_on(server: LiveServer) -> None:
    issuer, _ = new_achievement(server)
    made = [
        server.create(
            "/v3/achievements",
            issuer=issuer["id"],
            name=f"Zephyr {number}",
            description="-",
            criteria={"narrative": "-"},
        )["id"]
        for number in range(6)
    ]
    for query, order in ((f"issuer={issuer['id']}", made[::-1]), ("name=zephyr", made)):
        page = server.ask("GET", f"/v3/achievements?{query}&limit=2").json()
        assert [item["id"] for item in page["items"]] == order[:2]
        if "name" in query:
            for url in order[:2]:
                assert server.ask("DELETE", url).status_code == 204
        rest = [item["id"] for item in read_all(server, page["next"])]
        assert [url for url in rest if url in made] == order[2:]


@pytest.mark.parametrize("collection", ["issuers", "achievements"])
def test_names_are_found_by_what_they_begin_with_in_their_order(server: LiveServer, collection: str) -> None:
    issuer = server.create("/v3/issuers", name="Owner")
    words = {"criteria": {"narrative": "-"}, "description": "-", "issuer": issuer["id"]}
    names = ["Čapek 2", "čapek 1", "ČAPEK", "Čap", "capek", "100 % čapek", "Čapek_x"]
    for name in names:
        server.create(f"/v3/{collection}", name=name, **(words if collection == "achievements" else {}))

    def found(asked: str) -> list[str]:
        return [item["name"] for item in read_all(server, f"/v3/{collection}", name=asked)]

    assert found("čapek") == ["ČAPEK", "čapek 1", "Čapek 2", "Čapek_x"]
    assert found("ČAPEK 2") == ["Čapek 2"]
    assert found("C\u030capek_") == ["Čapek_x"]
    assert found("%") == []
    assert found("100 %") == ["100 % čapek"]
    assert server.ask("GET", f"/v3/{collection}", params={"name": "x" * 201}).status_code == 400
    assert server.ask("GET", f"/v3/{collection}", params={"name": " "}).status_code == 400


def test_a_changed_name_is_found_by_the_new_one(server: LiveServer) -> None:
    _, achievement = new_achievement(server)
    server.ask("PATCH", achievement["id"], json={"name": "Quayside"})

    assert [item["id"] for item in read_all(server, "/v3/achievements", name="quay")] == [achievement["id"]]
