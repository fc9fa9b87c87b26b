"""Open Badges 2.0 to verify: the three documents of a badge, hosted by the school, or signed with its key."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives import serialization

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from tests.unit.services.verifying.world import World

BASE = "https://school.example/v2"
ASSERTION, BADGE_CLASS, ISSUER = f"{BASE}/assertions/7", f"{BASE}/badge-classes/3", f"{BASE}/issuers/1"
KEY, REVOCATIONS = f"{BASE}/keys/1", f"{BASE}/issuers/1/revocations"
CONTEXT = "https://w3id.org/openbadges/v2"


def assertion(**changes: Any) -> dict[str, Any]:
    """A hosted assertion; a change to None removes a member."""
    return _changed(
        {
            "@context": CONTEXT,
            "id": ASSERTION,
            "type": "Assertion",
            "recipient": {"type": "email", "hashed": False, "identity": "ada@example.org"},
            "badge": BADGE_CLASS,
            "verification": {"type": "HostedBadge"},
            "issuedOn": "2026-05-01T00:00:00Z",
        },
        changes,
    )


def badge_class(**changes: Any) -> dict[str, Any]:
    return _changed(
        {
            "@context": CONTEXT,
            "id": BADGE_CLASS,
            "type": "BadgeClass",
            "name": "Chess",
            "description": "Plays chess.",
            "image": f"{BASE}/badge-classes/3/image",
            "criteria": {"narrative": "Win a game."},
            "issuer": ISSUER,
        },
        changes,
    )


def profile(**changes: Any) -> dict[str, Any]:
    return _changed(
        {
            "@context": CONTEXT,
            "id": ISSUER,
            "type": "Profile",
            "name": "The School",
            "url": "https://school.example",
            "email": "badges@school.example",
        },
        changes,
    )


def publish_hosted(world: World) -> None:
    """The assertion, its badge class and its issuer at their addresses."""
    world.web.publish(ASSERTION, assertion())
    world.web.publish(BADGE_CLASS, badge_class())
    world.web.publish(ISSUER, profile())


def signed_assertion(**changes: Any) -> dict[str, Any]:
    """An assertion whose verification is a signature."""
    named = {"id": "urn:uuid:5f3c1e9e-0000-4000-8000-000000000007"}
    return assertion(**{**named, "verification": {"type": "SignedBadge", "creator": KEY}, **changes})


def publish_signer(world: World, **changes: Any) -> None:
    """A badge class, an issuer with a key and a list of revocations, and the key."""
    world.web.publish(BADGE_CLASS, badge_class())
    world.web.publish(ISSUER, profile(publicKey=KEY, revocationList=REVOCATIONS, **changes))
    world.web.publish(KEY, cryptographic_key(world))
    publish_revocations(world)


def cryptographic_key(world: World, **changes: Any) -> dict[str, Any]:
    members = {"id": KEY, "type": "CryptographicKey", "owner": ISSUER, "publicKeyPem": pem(world.signer)}
    return _changed(members, changes)


def publish_revocations(world: World, *revoked: object, **changes: Any) -> None:
    members = {"id": REVOCATIONS, "type": "RevocationList", "issuer": ISSUER, "revokedAssertions": list(revoked)}
    world.web.publish(REVOCATIONS, _changed(members, changes))


def jws(world: World, payload: object, *, signer: keys.LocalSigner | None = None, **header: Any) -> str:
    """A compact JWS, made from nothing but RFC 7515."""
    signer = signer or world.signer
    algorithm = {"ed25519": "EdDSA", "p256": "ES256", "rsa": "RS256"}[signer.algorithm.name.lower()]
    parts = (json.dumps(part).encode() for part in ({"alg": algorithm} | header, payload))
    signing_input = ".".join(base64url.encode(part) for part in parts)
    return f"{signing_input}.{base64url.encode(signer.sign(signing_input.encode()))}"


def pem(signer: keys.LocalSigner) -> str:
    """The public key as OB 2.0 publishes it."""
    key = keys.load_public(signer.public_key)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def _changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (document | changes).items() if value is not None}
