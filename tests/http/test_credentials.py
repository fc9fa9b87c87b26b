"""``/v3/credentials`` and status lists over HTTP."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tests.http.live_server import LiveServer

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def issue(server: LiveServer, achievement: dict[str, Any], **more: object) -> Any:
    recipient = {"type": "email", "identity": "cleo@school.example"}
    response = server.ask(
        "POST", "/v3/credentials", json={"achievement": achievement["id"], "recipient": recipient, **more}
    )
    assert response.status_code == 201, response.text
    return response


def test_an_issued_credential_is_served_byte_for_byte(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = issue(server, achievement)

    assert issued.headers["content-type"] == "application/vc"
    assert issued.json()["id"] == issued.headers["location"]
    assert issued.json()["proof"]
    assert server.get(issued.headers["location"]).content == issued.content


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/vc"),
        ("application/vc", "application/vc"),
        ("application/ld+json", "application/ld+json"),
        ("application/json, text/plain", "application/json"),
        (BROWSER, "text/html; charset=utf-8"),
    ],
)
def test_the_form_follows_accept(server: LiveServer, credential: dict[str, Any], accept: str, media_type: str) -> None:
    response = server.get(credential["id"], accept=accept)

    assert response.headers["content-type"] == media_type
    assert response.headers["vary"] == "Accept"
    assert response.headers["access-control-allow-origin"] == "*"
    if media_type.startswith("application"):
        assert response.json() == credential


def test_a_vc_jwt_is_served_as_a_token(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = issue(server, achievement, format="vc-jwt")

    assert issued.headers["content-type"] == "application/vc+jwt"
    assert issued.text.count(".") == 2
    url = issued.headers["location"]
    assert server.get(url, accept="text/plain").content == issued.content
    assert server.get(url, accept="application/jwt").headers["content-type"] == "application/jwt"
    assert server.get(url, accept=BROWSER).headers["content-type"].startswith("text/html")
    refused = server.get(url, accept="application/json")
    assert refused.status_code == 406
    assert "application/vc+jwt" in refused.json()["hint"]
    header = json.loads(base64.urlsafe_b64decode(issued.text.split(".")[0] + "=="))
    assert server.get(header["kid"]).json()["kid"] == header["kid"]


def test_the_query_can_ask_for_a_form(server: LiveServer, credential: dict[str, Any]) -> None:
    url = credential["id"]

    assert server.get(f"{url}?format=json", accept=BROWSER).json() == credential
    assert server.get(f"{url}?format=html").headers["content-type"].startswith("text/html")
    assert server.get(f"{url}?format=jwt").status_code == 400
    assert server.get(f"{url}?format=pdf").status_code == 400


def test_who_has_the_credential_is_told_so(server: LiveServer, credential: dict[str, Any]) -> None:
    etag = server.get(credential["id"]).headers["etag"]

    assert server.get(credential["id"], if_none_match=etag).status_code == 304


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        (
            {
                "achievement": "018f3c1a-0000-7000-8000-000000000000",
                "recipient": {"type": "email", "identity": "a@b.example"},
            },
            {404, 422},
        ),
        ({"recipient": {"type": "email", "identity": "nobody"}}, 422),
        ({"recipient": {"type": "smoke", "identity": "x"}}, 422),
        ({"recipient": {"type": "email", "identity": "a@b.example"}, "format": "pdf"}, 422),
        ({"recipient": {"type": "email", "identity": "a@b.example"}, "validFrom": "yesterday"}, 422),
        ({"recipient": {"type": "email", "identity": "a@b\x00.example"}}, 422),
    ],
)
def test_what_cannot_be_issued_is_a_problem(
    server: LiveServer, achievement: dict[str, Any], body: dict[str, Any], status: int | set[int]
) -> None:
    if body:
        body = {"achievement": achievement["id"], **body}
    response = server.ask("POST", "/v3/credentials", json=body)

    assert response.status_code in (status if isinstance(status, set) else {status}), response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_a_revocation_shows_everywhere(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = issue(server, achievement).json()
    entry = issued["credentialStatus"]
    assert bit(server, entry) == 0

    revoked = server.ask("POST", f"{issued['id']}/status", json={"status": "revoked", "reason": "A mistake."})

    assert revoked.status_code == 200, revoked.text
    assert revoked.json()["status"] == "revoked"
    assert revoked.json()["statusReason"] == "A mistake."
    assert bit(server, entry) == 1
    assert server.get(issued["id"]).json() == issued  # what was signed never changes
    assert "A mistake." in server.get(issued["id"], accept=BROWSER).text


def test_a_revocation_is_final(server: LiveServer, achievement: dict[str, Any]) -> None:
    url = issue(server, achievement).headers["location"]
    server.ask("POST", f"{url}/status", json={"status": "revoked"})

    assert server.ask("POST", f"{url}/status", json={"status": "revoked"}).status_code == 200
    assert server.ask("POST", f"{url}/status", json={"status": "active"}).status_code == 409


def test_a_status_list_can_be_asked_for_again(server: LiveServer, credential: dict[str, Any]) -> None:
    url = credential["credentialStatus"]["statusListCredential"]
    first = server.get(url)

    assert first.headers["content-type"] == "application/vc"
    assert first.json()["id"] == url
    assert server.get(url, if_none_match=first.headers["etag"]).status_code == 304
    assert server.get(url, accept="application/json").headers["content-type"] == "application/json"


def test_the_baked_image_carries_the_credential(server: LiveServer, credential: dict[str, Any]) -> None:
    image = server.get(f"{credential['id']}/image")

    assert image.status_code == 200
    assert image.headers["content-type"] in ("image/png", "image/svg+xml")
    assert credential["id"].encode() in image.content
    with server.client as client:
        report = client.post(
            "/v3/verify", content=image.content, headers={"content-type": image.headers["content-type"]}
        )
    assert report.json()["valid"] is True, report.text


def test_the_list_shows_no_recipient(server: LiveServer, credential: dict[str, Any]) -> None:
    response = server.ask("GET", "/v3/credentials", params={"limit": 100})

    (item,) = [item for item in response.json()["items"] if item["id"] == credential["id"]]
    assert item["status"] == "active"
    assert item["recipientType"] == "emailAddress"
    assert "ada@school.example" not in response.text


def bit(server: LiveServer, entry: dict[str, Any]) -> int:
    encoded = server.get(entry["statusListCredential"]).json()["credentialSubject"]["encodedList"]
    bits = gzip.decompress(base64.urlsafe_b64decode(encoded[1:] + "=" * (-(len(encoded) - 1) % 4)))
    index = int(entry["statusListIndex"])
    return bits[index // 8] >> (7 - index % 8) & 1


def test_an_endorsement_is_a_credential_like_any_other(
    server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any]
) -> None:
    """Signed, read, shown, embedded after it was verified here, revoked, and refused from then on."""
    body = {"issuer": issuer["id"], "endorsed": achievement["id"], "comment": "Held in every storm."}
    response = server.ask("POST", "/v3/endorsements", json=body)
    assert response.status_code == 201, response.text
    assert response.headers["content-type"] == "application/vc"
    endorsement = response.json()
    path = response.headers["location"].removeprefix(server.url)
    assert server.get(path).json() == endorsement
    page = server.get(path, accept="text/html").text
    assert "Held in every storm." in page
    assert "<img" not in page
    assert server.get(f"{path}/image").status_code == 404
    with server.client as client:
        assert client.post("/v3/verify", json=endorsement).json()["valid"] is True

    own = achievement["id"].removeprefix(server.url)
    changed = server.ask("PATCH", own, json={"endorsement": [endorsement]})
    assert changed.json()["endorsement"] == [endorsement]
    issued = server.create(
        "/v3/credentials", achievement=achievement["id"], recipient={"type": "email", "identity": "e@school.example"}
    )
    assert issued["credentialSubject"]["achievement"]["endorsement"] == [endorsement]

    assert server.ask("POST", f"{path}/status", json={"status": "revoked", "reason": "Sunk."}).status_code == 200
    refused = server.ask("PATCH", own, json={"endorsement": [endorsement]})
    assert refused.status_code == 422
    assert [error["code"] for error in refused.json()["errors"]] == ["endorsement_unverified"]
    assert server.ask("PATCH", own, json={"endorsement": None}).json().get("endorsement") is None


def test_an_endorsement_names_what_is_wrong_with_it(server: LiveServer, issuer: dict[str, Any]) -> None:
    body = {"issuer": issuer["id"], "endorsed": f"{server.url}/v3/achievements/nothing", "comment": ""}
    refused = server.ask("POST", "/v3/endorsements", json=body)
    assert {error["pointer"]: error["code"] for error in refused.json()["errors"]} == {
        "/endorsed": "not_found",
        "/comment": "empty",
    }
