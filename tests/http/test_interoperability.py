"""An implementation that none of us wrote accepts what Lapel issues, and Lapel accepts what it issues."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from openbadgeslib import ob3
from openbadgeslib.verify import verify_badge

from lapel.credentials import keys, multikey
from tests.http.live_server import LiveServer
from tests.support.badge_images import SVG, png

FORMATS = ("eddsa-rdfc-2022", "vc-jwt")
IDENTITIES = ("https", "did:key")
IMAGES = {"image/png": png(), "image/svg+xml": SVG}


@pytest.fixture(scope="module", params=IDENTITIES)
def issuer(request: pytest.FixtureRequest, server: LiveServer) -> dict[str, Any]:
    return server.create("/v3/issuers", name="Harbour University", identity=request.param, email="b@harbour.example")


@pytest.fixture(scope="module", params=list(IMAGES))
def achievement(request: pytest.FixtureRequest, server: LiveServer, issuer: dict[str, Any]) -> dict[str, Any]:
    created = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Night Sailing",
        description="Sails safely by night.",
        criteria={"narrative": "Three nights at the helm."},
    )
    image = IMAGES[request.param]
    path = f"/v3/achievements/{created['id'].rpartition('/')[2]}/image"
    stored = server.ask("PUT", path, content=image, headers={"content-type": request.param})
    assert stored.status_code < 300, stored.text
    return created


def _pinned(server: LiveServer, issuer: dict[str, Any], format_: str) -> bytes | None:
    """The issuer's published key in PEM; None where the issuer's name is its key."""
    if issuer["id"].startswith("did:key:"):
        return None
    document = server.get(issuer["id"].removeprefix(server.url)).json()
    wanted = "publicKeyMultibase" if format_ == "eddsa-rdfc-2022" else "publicKeyJwk"
    (found,) = [method[wanted] for method in document["verificationMethod"] if wanted in method]
    key = multikey.decode(found) if isinstance(found, str) else keys.from_jwk(found)
    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


@pytest.mark.parametrize("format_", FORMATS)
def test_openbadgeslib_accepts_what_lapel_issues(
    server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any], format_: str
) -> None:
    """Signature, dates, recipient, and the status list with its own signature; from the text and from the image."""
    recipient = {"type": "email", "identity": "ada@example.org", "hashed": True}
    response = server.ask(
        "POST",
        "/v3/credentials",
        json={"achievement": achievement["id"], "recipient": recipient, "format": format_},
    )
    assert response.status_code == 201, response.text
    pinned = _pinned(server, issuer, format_)
    verifier_class = ob3.OB3LdpVerifier if format_ == "eddsa-rdfc-2022" else ob3.OB3Verifier
    verifier = verifier_class(pinned) if pinned else verifier_class.for_issuer_did(issuer["id"])
    credential = verifier.verify(response.text)
    assert credential.issuer.id == issuer["id"]
    assert credential.achievement.name == "Night Sailing"
    (identity,) = credential.identifiers
    salted = f"ada@example.org{identity.salt}".encode()
    assert identity.identity_hash == f"sha256${hashlib.sha256(salted).hexdigest()}"

    address = response.headers["location"]
    image = server.get(f"{address.removeprefix(server.url)}/image")
    assert image.status_code == 200, image.text
    result = verify_badge(image.content, "3", pubkey_pem=pinned, resolve_did=pinned is None)
    assert result.valid, result.reason


def test_openbadgeslib_sees_a_revocation(
    server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any]
) -> None:
    created = server.create(
        "/v3/credentials",
        achievement=achievement["id"],
        recipient={"type": "email", "identity": "ada@example.org"},
    )
    document = json.dumps(created)
    pinned = _pinned(server, issuer, "eddsa-rdfc-2022")
    verifier = ob3.OB3LdpVerifier(pinned) if pinned else ob3.OB3LdpVerifier.for_issuer_did(issuer["id"])

    def download(url: str, *_: object, **__: object) -> bytes:
        return server.get(url.removeprefix(server.url), accept="application/vc").content

    # openbadgeslib checks a list's own signature only where it is a token, so its embedded proof is checked by itself.
    listed = json.loads(download(created["credentialStatus"]["statusListCredential"]))
    ob3.verify_data_integrity_proof(listed, pinned or ob3.resolve_did(issuer["id"]))
    options: dict[str, Any] = {"check_status": True, "verify_status_list": False, "download": download}
    verifier.verify(document, **options)
    path = f"/v3/credentials/{created['id'].rpartition('/')[2]}/status"
    assert server.ask("POST", path, json={"status": "revoked", "reason": "By mistake."}).status_code == 200
    with pytest.raises(ob3.OB3VerificationError, match="is set at index"):
        verifier.verify(document, **options)


@pytest.mark.parametrize("carrier", ["text", "image/png", "image/svg+xml"])
@pytest.mark.parametrize("format_", FORMATS)
def test_lapel_accepts_what_openbadgeslib_issues(server: LiveServer, format_: str, carrier: str) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    issuer = ob3.did_key_from_pem(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    badge = ob3.OpenBadgeCredential(
        issuer=ob3.Issuer(id=issuer, name="Another School"),
        recipient_id="mailto:ada@example.org",
        achievement=ob3.Achievement(
            id="urn:uuid:91537dba-56cb-11ec-bf63-0242ac130002",
            name="Chess",
            description="Plays chess.",
            criteria_narrative="Win a game.",
        ),
        identifiers=[ob3.IdentityObject.create("ada@example.org")],
    )
    content = _signed(badge, pem, format_, carrier)
    media_type = carrier if carrier != "text" else {"vc-jwt": "application/jwt"}.get(format_, "application/json")
    with server.client as client:
        response = client.post("/v3/verify", content=content, headers={"content-type": media_type})
    report = response.json()
    assert report["valid"] is True, report


def _signed(badge: ob3.OpenBadgeCredential, pem: bytes, format_: str, carrier: str) -> bytes:
    embedded, token = ob3.OB3LdpSigner(pem), ob3.OB3Signer(pem, algorithm="EdDSA")
    signer: Any = embedded if format_ == "eddsa-rdfc-2022" else token
    baked: bytes
    if carrier == "image/png":
        baked = signer.sign_into_png(badge, png())
    elif carrier == "image/svg+xml":
        baked = signer.sign_into_svg(badge, SVG)
    elif signer is embedded:
        baked = embedded.sign_to_json(badge).encode()
    else:
        baked = token.sign(badge).encode()
    return baked
