"""The pointers of problems are JSON Pointers (RFC 6901), whatever a stranger calls a member."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.live_server import LiveServer

NAME, STEP = "a/b~c", "a~1b~0c"
ASSERTION: dict[str, Any] = {
    "recipient": {"type": "email", "hashed": False, "identity": "ada@school.example"},
    "badge": "https://school.example/badge",
}


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v3/issuers", {"name": "School", NAME: 1}, f"/{STEP}"),
        ("/v2/assertions", {**ASSERTION, f"x:{NAME}": {}}, f"/x:{STEP}"),
        ("/vc-api/credentials/issue", {"credential": {}, NAME: 1}, f"/{STEP}"),
        ("/vc-api/credentials/issue", {"credential": {}, "options": {NAME: 1}}, f"/options/{STEP}"),
        ("/vc-api/credentials/status", {NAME: 1}, f"/{STEP}"),
    ],
)
def test_a_member_of_any_name_can_be_pointed_at(server: LiveServer, path: str, body: Any, pointer: str) -> None:
    problem = server.ask("POST", path, json=body).json()

    assert pointer in {error["pointer"] for error in problem["errors"]}


def test_a_field_of_a_form_can_be_pointed_at(server: LiveServer) -> None:
    problem = server.ask("POST", "/v3/verify", files={NAME: b"x"}).json()

    assert [error["pointer"] for error in problem["errors"]] == [f"/{STEP}"]
