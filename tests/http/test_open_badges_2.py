"""The same records as hosted Open Badges 2.0."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lapel.credentials.jose import base64url
from tests.http.live_server import LiveServer


def test_the_three_documents_lead_to_one_another(server: LiveServer, credential: dict[str, Any]) -> None:
    uuid = credential["id"].rpartition("/")[2]
    assertion = server.get(f"/v2/assertions/{uuid}")
    badge_class = server.get(assertion.json()["badge"])
    issuer = server.get(badge_class.json()["issuer"])

    for response, kind in ((assertion, "Assertion"), (badge_class, "BadgeClass")):
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/ld+json"
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.json()["type"] == kind
        assert response.json()["id"].startswith(server.url)
    assert issuer.json()["email"] == "badges@school.example"


@pytest.mark.parametrize("phone", ["+442079460958", "+44 20 7946-0958", "+44 (0)20 7946 0958"])
def test_an_issuers_telephone_number_has_no_punctuation(server: LiveServer, phone: str) -> None:
    """OB 2.0, "Profile": "a + and country code followed by the number with no spaces or other punctuation"."""
    issuer = server.create("/v3/issuers", name="Harbour", email="badges@harbour.example", phone=phone)

    assert server.get(issuer["id"].replace("/v3/", "/v2/")).json()["telephone"] == "+442079460958"


def test_a_badge_class_says_in_which_language_it_is(server: LiveServer, issuer: dict[str, Any]) -> None:
    """OB 2.0, "Internationalization and Multilingual Badges"."""
    spanish = {"id": "https://school.example/nudos", "inLanguage": "es"}
    words = {"name": "Knots", "description": "Ties them.", "criteria": {"narrative": "Tie ten."}, "inLanguage": "en"}
    made = server.create("/v3/achievements", issuer=issuer["id"], related=[spanish], **words)

    badge_class = server.get(made["id"].replace("/v3/achievements", "/v2/badge-classes")).json()

    assert badge_class["@language"] == "en"
    assert badge_class["related"] == [{"type": "BadgeClass", "@language": "es", "id": spanish["id"]}]


def test_a_revoked_assertion_is_gone_and_says_why(server: LiveServer, achievement: dict[str, Any]) -> None:
    issued = server.create(
        "/v3/credentials", achievement=achievement["id"], recipient={"type": "email", "identity": "f@school.example"}
    )
    uuid = issued["id"].rpartition("/")[2]
    issuer = server.get(server.get(f"/v2/assertions/{uuid}").json()["badge"]).json()["issuer"]
    server.ask("POST", f"{issued['id']}/status", json={"status": "revoked", "reason": "Not earned."})

    gone = server.get(f"/v2/assertions/{uuid}")
    assert gone.status_code == 410
    assert gone.json()["revoked"] is True
    assert gone.json()["revocationReason"] == "Not earned."
    assert server.get(f"/v2/assertions/{uuid}/image").status_code == 410
    revoked = server.get(f"{issuer}/revocations").json()["revokedAssertions"]
    assert any(uuid in str(entry) for entry in revoked)


def test_the_baked_image_carries_the_assertion(server: LiveServer, credential: dict[str, Any]) -> None:
    uuid = credential["id"].rpartition("/")[2]
    image = server.get(f"/v2/assertions/{uuid}/image")

    assert image.status_code == 200
    assert f"/v2/assertions/{uuid}".encode() in image.content
    with server.client as client:
        report = client.post(
            "/v3/verify", content=image.content, headers={"content-type": image.headers["content-type"]}
        )
    assert report.json()["valid"] is True, report.text


def test_an_issuer_without_an_address_has_no_such_form(server: LiveServer) -> None:
    uuid = server.create("/v3/issuers", name="Without e-mail")["id"].rpartition("/")[2]

    response = server.get(f"/v2/issuers/{uuid}")

    assert response.status_code == 404
    assert "mail" in response.json()["detail"]


def test_an_assertion_is_had_signed_by_accept_or_by_name(server: LiveServer, credential: dict[str, Any]) -> None:
    path = f"/v2/assertions/{credential['id'].rpartition('/')[2]}"
    signed = server.get(path, accept="application/jose")

    assert signed.status_code == 200
    assert signed.headers["content-type"] == "application/jose"
    assert signed.headers["vary"] == "Accept, Accept-Encoding"
    assert server.get(f"{path}?format=jws").text == signed.text
    assert server.get(path, accept="image/png").status_code == 406
    assert server.get(f"{path}?format=html").status_code == 400
    assert server.get(f"{path}?format=json").json()["verification"] == {"type": "HostedBadge"}
    payload = json.loads(base64url.decode(signed.text.split(".")[1]))
    key = server.get(payload["verification"]["creator"]).json()
    assert key["type"] == "CryptographicKey"
    assert key["id"] in server.get(key["owner"]).json()["publicKey"]
    assert server.get(f"{path}?format=jws", if_none_match=signed.headers["etag"]).status_code == 304
