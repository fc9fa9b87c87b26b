"""``Idempotency-Key``: a write that comes again is answered again, and not done again."""

from __future__ import annotations

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.http.live_server import ADMIN_KEY, LiveServer
from tests.http.test_vc_api_issuing import DRAFT
from tests.support.databases import DATABASES
from tests.support.unheard import unheard

__all__ = ["unheard"]

pytestmark = pytest.mark.parametrize("server", DATABASES, indirect=True)

KEY = "Idempotency-Key"
VC_ISSUE = "/vc-api/credentials/issue"


def new_key() -> str:
    return f'"{uuid.uuid4()}"'


def bodies(issuer: dict[str, Any], achievement: dict[str, Any], credential: dict[str, Any]) -> dict[str, Any]:
    award = {"achievement": achievement["id"], "recipient": {"type": "email", "identity": "ada@b.example"}}
    described = {"name": "A", "description": "a", "criteria": {"narrative": "a"}, "issuer": issuer["id"]}
    issuer_path = "/v3/issuers" + issuer["id"].partition("/v3/issuers")[2]
    credential_path = "/v3/credentials" + credential["id"].partition("/v3/credentials")[2]
    return {
        "/v3/issuers": {"name": "Another School"},
        "/v3/achievements": described,
        "/v3/credentials": award,
        "/v3/credentials/batch": [award, award],
        "/v3/credentials/batch?atomic=false": [award, {}, {**award, "achievement": "x"}],
        "/v3/endorsements": {"endorsed": achievement["id"], "issuer": issuer["id"]},
        f"{credential_path}/status": {"status": "active"},
        "/v3/credentials/status": {"ids": [credential["id"]], "status": "active"},
        f"{credential_path}/replace": {"recipient": award["recipient"]},
        f"{issuer_path}/keys": {},
        VC_ISSUE: {"credential": {**DRAFT, "issuer": issuer["id"]}},
    }


# The last two of each line can be done any number of times, or show a secret that is not stored.
WITHOUT_KEYS = {
    *("/v3/verify", "/vc-api/credentials/verify", "/vc-api/presentations/verify"),
    *("/v3/recipients/erase", "/vc-api/credentials/status"),
    *("/v3/api-keys", "/v3/organisations"),
}
ROUTES = [
    "/v3/issuers",
    "/v3/achievements",
    "/v3/credentials",
    "/v3/credentials/batch",
    "/v3/credentials/batch?atomic=false",
    "/v3/endorsements",
    "/status",
    "/v3/credentials/status",
    "/replace",
    "/keys",
    VC_ISSUE,
]


def send(server: LiveServer, path: str, body: object, key: str) -> httpx.Response:
    return server.ask("POST", path, json=body, headers={KEY: key})


def same(first: httpx.Response, second: httpx.Response) -> bool:
    kept = ("location", "content-type", "cache-control", "etag")
    return (first.status_code, first.content, [first.headers.get(name) for name in kept]) == (
        second.status_code,
        second.content,
        [second.headers.get(name) for name in kept],
    )


@pytest.fixture
def of_its_own(server: LiveServer, achievement: Any) -> Any:
    """A credential that this test alone may revoke."""
    recipient = {"type": "email", "identity": "eve@b.example"}
    return server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)


@pytest.fixture(params=ROUTES)
def write(request: pytest.FixtureRequest, issuer: Any, achievement: Any, of_its_own: Any) -> tuple[str, Any]:
    """A path, and what is sent there."""
    found = bodies(issuer, achievement, of_its_own).items()
    return next(item for item in found if item[0] == request.param or item[0].endswith(request.param))


def test_a_write_is_done_once_and_answered_alike(server: LiveServer, write: tuple[str, Any]) -> None:
    (path, body), key = write, new_key()
    first, second = send(server, path, body, key), send(server, path, body, key)
    assert first.status_code in (200, 201), first.text
    assert same(first, second)
    assert KEY not in first.headers
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    if first.status_code == 201:
        assert not same(first, send(server, path, body, new_key()))


def test_a_write_that_does_not_hear_of_its_own_commit_is_answered_as_done(
    server: LiveServer, write: tuple[str, Any], unheard: list[str]
) -> None:
    (path, body), key = write, new_key()
    first = send(server, path, body, key)
    assert len(unheard) == 1
    if path in ("/v3/credentials", VC_ISSUE):  # stored together with others', and not tried again here
        assert (first.status_code, first.json()["code"]) == (503, "database_outcome_unknown")
        first = send(server, path, body, key)
    assert first.status_code in (200, 201), first.text
    assert first.headers["idempotency-replayed"] == "true"
    assert same(first, send(server, path, body, key))


def test_what_was_done_and_is_gone_since_is_told_from_what_was_refused(
    server: LiveServer, write: tuple[str, Any], of_its_own: Any
) -> None:
    (path, body), key = write, new_key()
    if path.endswith("/keys"):  # of an issuer that may be deleted
        path = server.create("/v3/issuers", name="Another")["id"].removeprefix(server.url) + "/keys"
    first = send(server, path, body, key)
    itemised = "batch" in path or path == "/v3/credentials/status"
    made = first.json()["items"][0]["id"] if itemised else first.headers.get("location", of_its_own["id"])
    gone = server.ask("DELETE", made.removeprefix(server.url).partition("/keys/")[0])
    assert gone.status_code == 204, gone.text

    again, refused = send(server, path, body, key), send(server, path, {}, new_key())

    assert again.headers["idempotency-replayed"] == "true"
    assert again.status_code == first.status_code if itemised else again.status_code in (404, 410)
    assert refused.status_code in (400, 404, 410, 422)
    assert "idempotency-replayed" not in refused.headers


def test_another_body_or_route_under_the_same_key_is_refused(
    server: LiveServer, issuer: Any, achievement: Any, credential: Any
) -> None:
    key, asked = new_key(), bodies(issuer, achievement, credential)
    award = asked["/v3/credentials"]
    assert send(server, "/v3/credentials", award, key).status_code == 201
    for path, body in (
        ("/v3/credentials", {**award, "narrative": "Another."}),
        ("/v3/issuers", {"name": "x"}),
        ("/v3/credentials/batch", [award]),
        (VC_ISSUE, asked[VC_ISSUE]),
    ):
        answer = send(server, path, body, key)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_the_vc_api_tells_a_reused_key_as_everywhere_and_a_bad_one_in_its_own_form(
    server: LiveServer, issuer: Any
) -> None:
    key, body = new_key(), {"credential": {**DRAFT, "issuer": issuer["id"]}}
    assert send(server, VC_ISSUE, body, key).status_code == 201

    reused = send(server, VC_ISSUE, {"credential": {**body["credential"], "name": "Another"}}, key)
    bad = send(server, VC_ISSUE, body, "a b")

    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert (bad.status_code, bad.json()["code"]) == (400, "bad_idempotency_key")
    assert bad.json()["problemDetails"][0]["code"] == "bad_idempotency_key"


def test_a_credential_id_stays_with_its_request_under_the_same_key(server: LiveServer, issuer: Any) -> None:
    key, named = new_key(), {"credentialId": str(uuid.uuid4())}
    body = {"credential": {**DRAFT, "issuer": issuer["id"]}, "options": named}
    first = send(server, VC_ISSUE, body, key)

    assert same(first, send(server, VC_ISSUE, body, key))
    other = send(server, VC_ISSUE, body, new_key())
    assert (other.status_code, other.json()["code"]) == (409, "already_issued")
    assert other.headers["location"] == first.headers["location"]


def test_what_was_refused_may_be_mended_under_the_same_key(server: LiveServer, achievement: Any) -> None:
    key = new_key()
    award = {"achievement": achievement["id"], "recipient": {"type": "email", "identity": "ada"}}
    for _ in range(2):
        assert send(server, "/v3/credentials", award, key).status_code == 422
    award["recipient"] = {"type": "email", "identity": "ada@b.example"}
    answer = send(server, "/v3/credentials", award, key)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("key", ['"a b"', "abc", '"say \\"x\\""', '"x"; version=1', '"' + "x" * 255 + '"'])
def test_a_key_is_a_string_or_a_bare_word(server: LiveServer, key: str) -> None:
    assert send(server, "/v3/issuers", {"name": key}, key).status_code == 201
    assert send(server, "/v3/issuers", {"name": key}, key).headers["idempotency-replayed"] == "true"


def test_quotation_marks_are_no_part_of_a_key(server: LiveServer) -> None:
    first = send(server, "/v3/issuers", {"name": "x"}, '"bare-or-not"')
    assert same(first, send(server, "/v3/issuers", {"name": "x"}, "bare-or-not"))


@pytest.mark.parametrize("key", ["", '""', "a b", '"a', "ä", '"ä"', "a,b", '"' + "x" * 256 + '"', '"a" "b"', '"\\n"'])
def test_what_is_no_key_is_refused(server: LiveServer, key: str) -> None:
    answer = server.ask("POST", "/v3/issuers", json={"name": "x"}, headers={KEY: key.encode()})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


def test_two_keys_are_one_too_many(server: LiveServer) -> None:
    with server.client as client:
        headers = [("x-api-key", ADMIN_KEY), (KEY, "a"), (KEY, "b")]
        assert client.post("/v3/issuers", json={"name": "x"}, headers=headers).status_code == 400


@pytest.mark.parametrize(("path", "count"), [("/v3/credentials", 50), (VC_ISSUE, 10)])
def test_of_many_at_once_one_is_done(
    server: LiveServer, issuer: Any, achievement: Any, credential: Any, path: str, count: int
) -> None:
    key, body = new_key(), bodies(issuer, achievement, credential)[path]
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda _: send(server, path, body, key), range(count)))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert sum(answer.status_code == 201 and "idempotency-replayed" not in answer.headers for answer in answers) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotency_key_in_use"
            assert answer.headers["retry-after"] == "1"


def test_every_write_says_that_it_takes_a_key(server: LiveServer) -> None:
    paths = server.get("/openapi.json").json()["paths"]
    without = {
        path
        for path, item in paths.items()
        if "post" in item and not any(one["name"] == KEY for one in item["post"].get("parameters", []))
    }
    assert without == WITHOUT_KEYS
