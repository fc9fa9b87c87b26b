"""``POST /v3/verify``: open to everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.http.live_server import LiveServer


def verify(server: LiveServer, **options: Any) -> Any:
    with server.client as client:
        return client.post("/v3/verify", **options)


def outcome(report: dict[str, Any], code: str) -> str:
    return next(str(check["outcome"]) for check in report["checks"] if check["code"] == code)


def test_our_own_credential_is_valid(server: LiveServer, credential: dict[str, Any]) -> None:
    response = verify(server, json=credential)

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    report = response.json()
    assert report["valid"] is True, report
    assert report["credential"]["name"] == credential["credentialSubject"]["achievement"]["name"]


@pytest.mark.parametrize(
    "media_type", ["application/vc", "application/ld+json", "text/plain", "application/octet-stream", ""]
)
def test_the_content_counts_not_what_it_is_called(
    server: LiveServer, credential: dict[str, Any], media_type: str
) -> None:
    response = verify(server, content=json.dumps(credential), headers={"content-type": media_type})

    assert response.json()["valid"] is True


def test_a_changed_credential_is_not_valid(server: LiveServer, credential: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(credential))
    changed["credentialSubject"]["achievement"]["name"] = "Doctor of Everything"

    report = verify(server, json=changed).json()

    assert report["valid"] is False
    assert outcome(report, "signature") == "fail"


def test_a_revoked_credential_is_not_valid(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = server.create(
        "/v3/credentials", achievement=achievement["id"], recipient={"type": "email", "identity": "d@school.example"}
    )
    server.ask("POST", f"{issued['id']}/status", json={"status": "revoked"})

    report = verify(server, json=issued).json()

    assert report["valid"] is False
    assert outcome(report, "status") == "fail"


def test_a_token_is_verified(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = server.ask(
        "POST",
        "/v3/credentials",
        json={
            "achievement": achievement["id"],
            "recipient": {"type": "email", "identity": "e@school.example"},
            "format": "vc-jwt",
        },
    )

    assert (
        verify(server, content=issued.content, headers={"content-type": "application/vc+jwt"}).json()["valid"] is True
    )


def test_an_address_of_ours_is_verified_without_the_network(server: LiveServer, credential: dict[str, Any]) -> None:
    report = verify(server, json={"url": credential["id"], "recipient": "ada@school.example"}).json()

    assert report["valid"] is True, report
    assert outcome(report, "recipient") == "pass"


def test_a_form_with_a_file_is_verified(server: LiveServer, credential: dict[str, Any]) -> None:
    response = verify(
        server,
        files={"file": ("badge.json", json.dumps(credential), "application/json")},
        data={"recipient": "somebody@else.example"},
    )

    assert response.json()["valid"] is False
    assert outcome(response.json(), "recipient") == "fail"


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"", "application/json", 400),
        (b"hello", "text/plain", 400),
        (b"{", "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"\x89PNG\r\n\x1a\n", "image/png", 400),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 400),
        (b"<!DOCTYPE svg [<!ENTITY a 'a'>]><svg/>", "image/svg+xml", 400),
        (b"x", "application/pdf", 415),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 400),
        (b"", "multipart/form-data", 400),
        (b"garbage", "multipart/form-data; boundary=x", 400),
    ],
)
def test_what_cannot_be_read_is_a_problem(server: LiveServer, content: bytes, media_type: str, status: int) -> None:
    response = verify(server, content=content, headers={"content-type": media_type})

    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "http://127.0.0.1:1/", "https://127.0.0.1/", "file:///etc/passwd", "https://"],
)
def test_addresses_that_are_nobodys_business_are_not_asked(server: LiveServer, url: str) -> None:
    response = verify(server, json={"url": url})

    assert response.status_code == 400, response.text


def test_a_badge_that_is_readable_and_bad_is_a_report(server: LiveServer) -> None:
    response = verify(server, json={"type": ["VerifiableCredential"]})

    assert response.status_code == 200
    assert response.json()["valid"] is False
