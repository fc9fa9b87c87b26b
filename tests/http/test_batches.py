"""``POST /v3/credentials/batch``."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.http.live_server import LiveServer

PATH = "/v3/credentials/batch"


def body_of(achievement: dict[str, Any], **members: object) -> dict[str, Any]:
    return {"achievement": achievement["id"], "recipient": {"type": "email", "identity": "ada@b.example"}, **members}


def number_of_credentials(server: LiveServer) -> int:
    path: str | None = "/v3/credentials?limit=100"
    number = 0
    while path is not None:
        page = server.ask("GET", path).json()
        number += len(page["items"])
        path = page["next"] and page["next"].removeprefix(server.url)
    return number


def test_all_of_a_batch_are_issued(server: LiveServer, achievement: dict[str, Any]) -> None:
    answer = server.ask("POST", PATH, json=[body_of(achievement), body_of(achievement, format="vc-jwt")])
    assert answer.status_code == 201
    first, second = answer.json()["items"]
    assert answer.json()["failed"] == 0
    stored = [server.get(item["id"].removeprefix(server.url)) for item in (first, second)]
    assert f'"credential":{stored[0].text}}}' in answer.text  # the very bytes
    assert second["credential"] == stored[1].text
    assert server.ask("POST", "/v3/verify", json=first["credential"]).json()["valid"] is True


def test_with_one_problem_nothing_is_issued(server: LiveServer, achievement: dict[str, Any]) -> None:
    before = number_of_credentials(server)
    wrong = body_of(achievement, recipient={"type": "email", "identity": "ada"})
    answer = server.ask("POST", PATH, json=[body_of(achievement), wrong])
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/1/recipient/identity"]
    misshapen = server.ask("POST", PATH, json=[{**body_of(achievement), "x": 1}, body_of(achievement), 7])
    assert [error["pointer"] for error in misshapen.json()["errors"]] == ["/0/x", "/2"]
    assert number_of_credentials(server) == before


def test_each_item_is_answered_for_itself(server: LiveServer, achievement: dict[str, Any]) -> None:
    wrong = body_of(achievement, recipient={"type": "email", "identity": "ada"})
    items = [body_of(achievement), wrong, {"achievement": 7}, body_of(achievement)]
    answer = server.ask("POST", f"{PATH}?atomic=false", json=items)
    assert answer.status_code == 200
    first, second, third, fourth = answer.json()["items"]
    assert answer.json()["failed"] == 2
    assert first["credential"]["id"] == first["id"]
    assert fourth["credential"]["id"] == fourth["id"] != first["id"]
    assert (second["problem"]["status"], third["problem"]["status"]) == (422, 422)
    assert second["problem"]["errors"][0]["pointer"] == "/1/recipient/identity"
    assert "/2/achievement" in [error["pointer"] for error in third["problem"]["errors"]]
    assert second["problem"]["type"].endswith("/docs/errors#invalid_input")


def test_of_one_that_cannot_be_read_ten_problems_are_told(server: LiveServer) -> None:
    misshapen = {f"x{number}": 1 for number in range(30)}
    answer = server.ask("POST", f"{PATH}?atomic=false", json=[misshapen])
    assert [len(item["problem"]["errors"]) for item in answer.json()["items"]] == [10]


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        (PATH, b"[]", 422, "invalid_input"),
        (PATH, b"{}", 422, "invalid_input"),
        (PATH, b"", 400, "malformed_request"),
        (PATH, b"[{]", 400, "malformed_request"),
        (PATH, json.dumps([{}] * 1001).encode(), 413, "too_large"),
        (PATH, b"[" + b" " * (8 * 1024 * 1024) + b"]", 413, "too_large"),
        (f"{PATH}?atomic=perhaps", b"[{}]", 400, "malformed_request"),
        (f"{PATH}?atomar=false", b"[{}]", 400, "malformed_request"),
    ],
    ids=["empty", "no array", "nothing", "no JSON", "too many", "too large", "a bad choice", "misspelt"],
)
def test_what_is_no_batch_is_refused(server: LiveServer, path: str, content: bytes, status: int, code: str) -> None:
    answer = server.ask("POST", path, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_a_batch_is_for_who_may_issue(server: LiveServer) -> None:
    with server.client as client:
        assert client.post(PATH, json=[{}]).status_code == 401


def test_a_thousand_real_ones_fit(server: LiveServer, achievement: dict[str, Any]) -> None:
    narrative = "Sailed by night, at the helm. " * 100
    answer: httpx.Response = server.ask("POST", PATH, json=[body_of(achievement, narrative=narrative)] * 1000)
    assert answer.status_code == 201, answer.text[:1000]
    assert len({item["id"] for item in answer.json()["items"]}) == 1000
