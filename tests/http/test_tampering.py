"""Whatever is changed in an issued credential, anywhere, is noticed, and the right check says so."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http.live_server import LiveServer

Path = tuple[str | int, ...]

# What an embedded proof does not cover with its hash, and which check notices a change instead.
NOT_THE_SIGNATURE: dict[Path, set[str]] = {
    ("proof", 0, "type"): {"proof"},
    ("proof", 0, "cryptosuite"): {"proof"},
    ("proof", 0, "proofPurpose"): {"proof"},
    ("proof", 0, "verificationMethod"): {"key", "issuer", "proof"},
    ("proof", 0, "proofValue"): {"signature", "proof"},
}
BEFORE_THE_SIGNATURE = {"structure", "contexts", "json_ld", "proof", "key", "issuer"}


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from leaves(member, (*path, index))
    else:
        yield path


def changed(document: dict[str, Any], path: Path) -> dict[str, Any]:
    mutant = copy.deepcopy(document)
    holder: Any = mutant
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = _another(holder[path[-1]])
    return mutant


def _another(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    assert isinstance(value, str)
    if value[:4].isdigit() and value.endswith("Z"):
        return f"{int(value[:4]) - 1}{value[4:]}"
    position = len(value) // 2
    return value[:position] + ("a" if value[position] != "a" else "b") + value[position + 1 :]


@pytest.fixture(scope="module")
def rich(server: LiveServer) -> dict[str, Any]:
    """A credential with a value in every place that Lapel fills."""
    issuer = server.create(
        "/v3/issuers", name="Harbour University", url="https://harbour.example", email="b@harbour.example"
    )
    achievement = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Night Sailing",
        description="Sails safely by night.",
        criteria={"id": "https://harbour.example/night", "narrative": "Three nights."},
        tag=["sailing", "night"],
        achievementType="Badge",
        alignment=[{"targetName": "Seamanship", "targetUrl": "https://frameworks.example/seamanship"}],
        resultDescription=[
            {"id": "urn:uuid:0b7f6f5c-0f0f-4f0f-8f0f-0f0f0f0f0f0f", "name": "Points", "resultType": "RawScore"}
        ],
    )
    return server.create(
        "/v3/credentials",
        achievement=achievement["id"],
        recipient={"type": "email", "identity": "ada@example.org", "name": "Ada"},
        validFrom="2026-01-01T00:00:00Z",
        validUntil="2036-01-01T00:00:00Z",
        narrative="By a clear night.",
        evidence=[{"id": "https://harbour.example/log/1", "name": "The log", "narrative": "Fog at four."}],
        results=[{"resultDescription": "urn:uuid:0b7f6f5c-0f0f-4f0f-8f0f-0f0f0f0f0f0f", "value": "97"}],
    )


def _failed(server: LiveServer, document: dict[str, Any]) -> tuple[object, set[str]]:
    with server.client as client:
        answer = client.post("/v3/verify", json=document)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        return False, {answer.json()["code"]}
    report = answer.json()
    return report["valid"], {check["code"] for check in report["checks"] if check["outcome"] == "fail"}


def test_the_credential_is_valid_as_issued(server: LiveServer, rich: dict[str, Any]) -> None:
    assert _failed(server, rich) == (True, set())


def test_a_change_of_any_one_value_is_noticed_by_the_right_check(server: LiveServer, rich: dict[str, Any]) -> None:
    paths = list(leaves(rich))
    assert len(paths) > 50
    wrong = []
    for path in paths:
        valid, failed = _failed(server, changed(rich, path))
        expected = NOT_THE_SIGNATURE.get(path, {"signature", *BEFORE_THE_SIGNATURE})
        if valid is not False or not failed & expected:
            wrong.append(f"{'/'.join(map(str, path))}: valid={valid}, failed={sorted(failed)}")
    assert wrong == []


def test_the_recipients_identity_is_covered(server: LiveServer, rich: dict[str, Any]) -> None:
    for member in ("identityHash", "salt", "identityType"):
        path = ("credentialSubject", "identifier", 0, member)
        valid, failed = _failed(server, changed(rich, path))
        assert valid is False
        assert "signature" in failed, member


def test_a_change_of_any_character_of_a_token_is_noticed(server: LiveServer, rich: dict[str, Any]) -> None:
    answer = server.ask(
        "POST",
        "/v3/credentials",
        json={
            "achievement": rich["credentialSubject"]["achievement"]["id"],
            "recipient": {"type": "email", "identity": "ada@example.org"},
            "format": "vc-jwt",
        },
    )
    token = answer.text
    with server.client as client:
        assert client.post("/v3/verify", content=token, headers={"content-type": "text/plain"}).json()["valid"] is True
        for position in range(0, len(token), 37):
            other = "A" if token[position] != "A" else "B"
            mutant = token[:position] + other + token[position + 1 :]
            verdict = client.post("/v3/verify", content=mutant, headers={"content-type": "text/plain"})
            assert verdict.status_code in (200, 400)
            report = json.loads(verdict.content)
            assert report.get("valid") is not True, position
