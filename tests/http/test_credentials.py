"""``/v3/credentials`` and status lists over HTTP."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from lapel.credentials.jose import vc_jwt
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
    assert response.headers["vary"] == "Accept, Accept-Encoding"
    assert response.headers["access-control-allow-origin"] == "*"
    if media_type.startswith("application"):
        assert response.json() == credential


def test_a_vc_jwt_is_served_as_a_token(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = issue(server, achievement, format="vc-jwt")

    assert issued.headers["content-type"] == "application/vc+jwt"
    assert issued.text.count(".") == 2
    url = issued.headers["location"]
    for accept in ("text/plain", "*/*"):  # OB 3.0, 5.2: text/plain unless another form is asked for
        plain = server.get(url, accept=accept)
        assert (plain.content, plain.headers["content-type"]) == (issued.content, "text/plain; charset=utf-8")
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
    other = server.get(f"{url}?format=jwt")
    assert (other.status_code, other.json()["code"]) == (406, "not_acceptable")
    assert "json or html" in other.json()["hint"]
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


@pytest.fixture(scope="module")
def suspendable(server: LiveServer, issuer: dict[str, Any]) -> dict[str, Any]:
    return server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Lifeguard",
        description="May guard the beach.",
        criteria={"narrative": "Swam it."},
        suspendable=True,
    )


@pytest.mark.parametrize("secured", ["eddsa-rdfc-2022", "vc-jwt"])
def test_a_suspension_shows_everywhere_and_can_be_lifted(
    server: LiveServer, suspendable: dict[str, Any], secured: str
) -> None:
    issued = issue(server, suspendable, format=secured)
    url = issued.headers["location"]
    uuid = url.rpartition("/")[2]

    def shown() -> tuple[object, ...]:
        """What everybody is told: verifiers, people, and readers of Open Badges 2.0."""
        with server.client as client:
            verified = client.post("/v3/verify", content=issued.content, headers={"content-type": "application/json"})
        problems = [check["problem"] for check in verified.json()["checks"] if "problem" in check]
        page = server.get(url, accept=BROWSER).text
        words = [word for word in ("Valid.", "Suspended.", "Revoked.") if f"<strong>{word}</strong>" in page]
        assertion = server.get(f"/v2/assertions/{uuid}")
        reason = assertion.json().get("revocationReason")
        return verified.json()["valid"], problems, words, assertion.status_code, reason

    good: tuple[object, ...] = (True, [], ["Valid."], 200, None)
    assert shown() == good
    suspended = server.ask("POST", f"{url}/status", json={"status": "suspended", "reason": "Under review."})
    assert (suspended.status_code, suspended.json()["status"]) == (200, "suspended"), suspended.text
    assert shown() == (False, ["suspended"], ["Suspended."], 410, "Under review.")
    assert "Under review." in server.get(url, accept=BROWSER).text
    assert server.get(f"/v2/assertions/{uuid}/image").status_code == 410
    assert server.get(url).content == issued.content  # what was signed never changes

    assert server.ask("POST", f"{url}/status", json={"status": "active"}).json()["status"] == "active"
    assert shown() == good
    server.ask("POST", f"{url}/status", json={"status": "suspended"})
    server.ask("POST", f"{url}/status", json={"status": "revoked", "reason": "It was so."})
    assert shown() == (False, ["revoked"], ["Revoked."], 410, "It was so.")
    for status in ("active", "suspended"):
        refused = server.ask("POST", f"{url}/status", json={"status": status})
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_only_what_was_issued_as_suspendable_can_be_suspended(
    server: LiveServer, achievement: dict[str, Any], suspendable: dict[str, Any]
) -> None:
    url = issue(server, achievement).headers["location"]
    refused = server.ask("POST", f"{url}/status", json={"status": "suspended"})

    assert (refused.status_code, refused.json()["code"]) == (409, "not_suspendable")
    items = server.ask("GET", "/v3/achievements", params={"limit": 100}).json()["items"]
    assert [item.get("suspendable", False) for item in items if item["id"] == achievement["id"]] == [False]
    assert [item.get("suspendable", False) for item in items if item["id"] == suspendable["id"]] == [True]


@pytest.mark.parametrize("beside", ["", "/revocations"])
@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", "application/vc+jwt", "application/vc+jwt"),
        ("", "application/jwt, application/json;q=0.5", "application/jwt"),
        ("?format=jwt", "*/*", "text/plain; charset=utf-8"),
        ("?format=json", "application/vc+jwt", "application/json"),
        ("", "*/*", "application/vc"),
    ],
)
def test_a_status_list_comes_as_a_token_or_with_a_proof(
    server: LiveServer, suspendable: dict[str, Any], beside: str, query: str, accept: str, media_type: str
) -> None:
    entry = vc_jwt.decode(issue(server, suspendable, format="vc-jwt").text).credential["credentialStatus"]
    assert isinstance(entry, dict)
    url = f"{entry['statusListCredential']}{beside}"

    answer = server.get(f"{url}{query}", accept=accept)

    assert (answer.headers["content-type"], answer.headers["vary"]) == (media_type, "Accept, Accept-Encoding")
    assert answer.headers["cache-control"] == "public, max-age=300"
    token = "jwt" in query or "jwt" in media_type
    listed = vc_jwt.decode(answer.text).credential if token else answer.json()
    assert (listed["id"], "proof" in listed) == (url, not token)
    with server.client as client:
        report = client.post("/v3/verify", content=answer.content, headers={"content-type": "application/json"})
    outcomes = {check["code"]: check["outcome"] for check in report.json()["checks"]}
    assert outcomes["signature"] == outcomes["issuer"] == "pass", report.text


def test_a_status_list_has_no_other_form(server: LiveServer, credential: dict[str, Any]) -> None:
    url = credential["credentialStatus"]["statusListCredential"]

    assert server.get(url, accept="text/html").status_code == 406
    assert server.get(f"{url}?format=html").status_code == 406
    assert server.get(f"{url}/revocations").status_code == 404  # it is one of revocation itself


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
    assert item["recipientType"] == "email"
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
