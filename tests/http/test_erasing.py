"""Erasing over HTTP: what is gone answers 410 everywhere, at once in this process and soon in every other."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from lapel.bootstrap import build
from lapel.cli.running import OPERATOR
from lapel.errors import NotFound, Unavailable
from lapel.http.document_cache import CachedDocument, DocumentCache
from lapel.services.requests import ErasedIdentity
from tests.http.live_server import LiveServer
from tests.support.waiting import eventually

PERSON = {"type": "email", "identity": "grace@example.org", "hashed": False, "name": "Grace"}


@pytest.fixture
def address(server: LiveServer, achievement: dict[str, Any]) -> str:
    """A credential that has been asked for in every form."""
    created: str = server.create("/v3/credentials", achievement=achievement["id"], recipient=PERSON)["id"]
    for path, accept in forms(server, created):
        assert server.get(path, accept=accept).status_code == 200, path
    return created.removeprefix(server.url)


def forms(server: LiveServer, address: str) -> list[tuple[str, str]]:
    path = address.removeprefix(server.url)
    hosted = path.replace("/v3/credentials/", "/v2/assertions/")
    return [
        (path, "application/vc"),
        (path, "text/html"),
        (f"{path}/image", "*/*"),
        (hosted, "application/ld+json"),
        (hosted, "application/jose"),
        (f"{hosted}/image", "*/*"),
    ]


def assert_gone(server: LiveServer, address: str) -> None:
    for path, accept in forms(server, address):
        response = server.get(path, accept=accept)
        assert response.status_code == 410, path
        is_page = accept == "text/html"
        assert response.headers["content-type"] == (
            "text/html; charset=utf-8" if is_page else "application/problem+json"
        )
        assert "credential_erased" in response.text
        assert "grace" not in response.text.lower()


def test_an_erased_credential_is_gone_in_every_form_at_once(server: LiveServer, address: str) -> None:
    copy = server.get(address).json()

    response = server.ask("DELETE", address)

    assert (response.status_code, response.content) == (204, b"")
    assert_gone(server, address)
    assert server.ask("DELETE", address).status_code == 410
    assert server.ask("POST", f"{address}/status", json={"status": "revoked"}).status_code == 410
    report = server.ask("POST", "/v3/verify", json=copy).json()
    assert report["valid"] is False
    assert {check["code"]: check["outcome"] for check in report["checks"]}["status"] == "fail"
    item = server.ask("GET", "/v3/credentials?limit=1").json()["items"][0]
    assert (item["id"], item["status"]) == (f"{server.url}{address}", "revoked")
    assert item["erasedAt"]


def test_whatever_would_be_done_to_it_is_told_so(server: LiveServer, address: str) -> None:
    url = f"{server.url}{address}"
    server.ask("DELETE", address)

    entry = {"type": "BitstringStatusListEntry", "statusPurpose": "revocation"}
    for path, body in (
        (f"{address}/status", {"status": "active"}),
        (f"{address}/replace", {"recipient": PERSON}),
        ("/vc-api/credentials/status", {"credentialId": url, "credentialStatus": entry, "status": True}),
    ):
        answer = server.ask("POST", path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (410, "credential_erased"), path
    answer = server.ask("POST", "/v3/credentials/status?atomic=false", json={"ids": [url], "status": "revoked"})
    assert answer.json()["items"][0]["problem"]["code"] == "credential_erased"
    answer = server.ask("POST", "/v3/credentials/status", json={"ids": [url], "status": "revoked"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "credential_erased")


def test_a_request_that_comes_again_is_told_that_what_it_made_is_erased(
    server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any]
) -> None:
    award = {"achievement": achievement["id"], "recipient": PERSON}
    badge_class = achievement["id"].replace("/v3/achievements/", "/v2/badge-classes/")
    assertion = {"type": "Assertion", "badge": badge_class, "issuedOn": "2026-01-31T12:00:00Z"}
    assertion["recipient"] = {"type": "email", "hashed": False, "identity": PERSON["identity"]}
    endorsed = {"endorsed": "https://grace.example", "issuer": issuer["id"]}

    def sent(path: str, body: object) -> httpx.Response:
        return server.ask("POST", path, json=body, headers={"idempotency-key": f'"erased{path}"'})

    made = {"/v3/credentials": award, "/v2/assertions": assertion, "/v3/endorsements": endorsed}
    for path, body in made.items():
        made_id = sent(path, body).headers["location"].rpartition("/")[2]
        assert server.ask("DELETE", f"/v3/credentials/{made_id}").status_code == 204
        again = sent(path, body)
        assert (again.status_code, again.json()["code"]) == (410, "credential_erased"), path
    (item,) = sent("/v3/credentials/batch", [award]).json()["items"]
    server.ask("DELETE", item["id"].removeprefix(server.url))
    (item,) = sent("/v3/credentials/batch", [award]).json()["items"]
    assert item["problem"]["code"] == "credential_erased"


def test_everything_of_a_recipient_is_gone(server: LiveServer, address: str) -> None:
    response = server.ask("POST", "/v3/recipients/erase", json={"type": "email", "identity": "GRACE@example.org"})

    assert response.status_code == 200
    assert f"{server.url}{address}" in response.json()["credentials"]
    assert response.json()["erased"] == len(response.json()["credentials"])
    assert_gone(server, address)
    again = server.ask("POST", "/v3/recipients/erase", json={"type": "email", "identity": "grace@example.org"})
    assert again.json() == {"erased": 0, "credentials": []}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"type": "email", "identity": "nobody"}, "/identity"),
        ({"type": "name", "identity": "Grace"}, "/type"),
        ({"type": "email"}, "/identity"),
        ({"type": "email", "identity": "a@example.org", "name": "A"}, "/name"),
    ],
)
def test_what_is_no_identity_is_refused(server: LiveServer, body: dict[str, str], pointer: str) -> None:
    response = server.ask("POST", "/v3/recipients/erase", json=body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_without_a_key_nothing_is_erased(server: LiveServer, address: str) -> None:
    with server.client as client:
        assert client.delete(address).status_code == 401
        assert client.post("/v3/recipients/erase", json=PERSON).status_code == 401
    assert server.get(address).status_code == 200


def test_what_another_process_has_erased_is_soon_forgotten_here(server: LiveServer, address: str) -> None:
    database, settings = server.application.database, server.application.settings
    if database.own_file is None and not database.capabilities.several_processes:
        return  # in memory there is no other process

    async def erase() -> None:
        async with build(settings) as elsewhere:
            await elsewhere.start(make=False)
            wanted = ErasedIdentity(type="email", identity="grace@example.org")
            assert await elsewhere.services.erasing.erase_recipient(OPERATOR, wanted)

    asyncio.run(erase())

    assert eventually(lambda: all(server.get(path).status_code == 410 for path, _ in forms(server, address)))
    assert_gone(server, address)


async def test_a_document_that_was_read_before_an_erasure_is_not_kept_after_it() -> None:
    async def none_yet() -> None:
        return None

    kept = DocumentCache(last_erasure=none_yet, on_clear=lambda: None)
    reading, erased = asyncio.Event(), asyncio.Event()

    async def slowly() -> CachedDocument:
        reading.set()
        await erased.wait()
        return CachedDocument(b"of Grace")

    async def gone() -> CachedDocument:
        raise NotFound

    task = asyncio.create_task(kept.get("one", slowly))
    await reading.wait()
    kept.forget()
    erased.set()
    assert (await task).content == b"of Grace"
    with pytest.raises(NotFound):
        await kept.get("one", gone)


async def test_an_erasure_elsewhere_is_noticed_and_a_database_that_is_away_is_none() -> None:
    now, last, forgotten = 100.0, b"first", []

    async def erasures() -> bytes:
        if last == b"away":
            raise Unavailable
        if last == b"hanging":
            await asyncio.Event().wait()
        return last

    kept = DocumentCache(seconds=lambda: now, last_erasure=erasures, on_clear=lambda: forgotten.append(last))
    loads: list[int] = []

    async def load() -> CachedDocument:
        loads.append(1)
        return CachedDocument(b"of Grace")

    async def times_loaded() -> int:
        await kept.get("one", load)
        return len(loads)

    assert await times_loaded() == 1
    last = b"second"
    assert await times_loaded() == 1  # it was looked for a moment ago
    now += 0.6
    assert await times_loaded() == 2
    last = b"away"
    now += 0.6
    assert await times_loaded() == 2
    last = b"hanging"
    now += 0.6
    assert await times_loaded() == 2
    assert forgotten == [b"first", b"second"]
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
