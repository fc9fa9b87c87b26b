"""Badges that another implementation has signed and baked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from openbadgeslib import ob3

from lapel.credentials import keys
from lapel.services.verifying import Outcome, Report
from tests.support.badge_images import SVG, png
from tests.unit.services.verifying.world import ISSUER, LIST, NOW, World


class Peer:
    """An issuer that uses openbadgeslib."""

    def __init__(self, world: World, private: Any, algorithm: str) -> None:
        pkcs8 = serialization.PrivateFormat.PKCS8
        self.pem = private.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())
        self.algorithm = algorithm
        jwk = keys.jwk(keys.public_der(private.public_key()))
        self.method_id = f"{ISSUER}#peer"
        method = {"id": self.method_id, "type": "JsonWebKey", "controller": ISSUER, "publicKeyJwk": dict(jwk)}
        world.publish_issuer(verificationMethod=[method], assertionMethod=[self.method_id])

    def badge(self, issuer: str = ISSUER, *, index: int = 5) -> Any:
        return ob3.OpenBadgeCredential(
            issuer=ob3.Issuer(id=issuer, name="The School", url="https://school.example", email="a@school.example"),
            recipient_id="mailto:ada@example.org",
            achievement=ob3.Achievement(
                id="https://school.example/v3/achievements/3",
                name="Chess",
                description="Plays chess.",
                criteria_narrative="Win a game.",
                tags=["games"],
            ),
            issuance_date=NOW - timedelta(days=2),
            expiration_date=NOW + timedelta(days=2),
            identifiers=[ob3.IdentityObject.create("ada@example.org")],
            evidence=[ob3.Evidence(id="https://school.example/games/1", name="Game 1", narrative="Nf3")],
            credential_status=[ob3.status_entry(LIST, "revocation", index)],
        )


def ed25519(world: World) -> Peer:
    return Peer(world, Ed25519PrivateKey.generate(), "EdDSA")


def failed(report: Report) -> list[tuple[str, str | None]]:
    return [(c.code.value, c.detail) for c in report.checks if c.outcome not in (Outcome.PASS, Outcome.SKIP)]


def publish_list(world: World, peer: Peer, *revoked: int) -> None:
    listed = ob3.build_status_list_credential(ISSUER, LIST, "revocation", revoked, issued=NOW - timedelta(days=1))
    signed = ob3.add_data_integrity_proof(listed, peer.pem, peer.method_id)
    world.web.publish(LIST, signed)


async def test_an_embedded_proof_of_a_published_key(world: World) -> None:
    peer = ed25519(world)
    publish_list(world, peer)
    document = ob3.OB3LdpSigner(peer.pem, peer.method_id).sign(peer.badge(), created=NOW - timedelta(hours=1))

    report = await world.verify(document, expected_recipient="ada@example.org")

    assert report.valid is True, failed(report)


async def test_an_embedded_proof_of_a_did_key(world: World) -> None:
    peer = ed25519(world)
    signer = ob3.OB3LdpSigner(peer.pem)
    badge = peer.badge(signer.verification_method.partition("#")[0])
    badge.credential_status = []

    assert (await world.verify(signer.sign(badge, created=NOW))).valid is True


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [
        (Ed25519PrivateKey.generate(), "EdDSA"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
    ],
    ids=["EdDSA", "ES256", "RS256"],
)
async def test_a_token_baked_into_an_image(world: World, private: Any, algorithm: str) -> None:
    peer = Peer(world, private, algorithm)
    signer = ob3.OB3Signer(peer.pem, algorithm)
    badge = peer.badge()
    badge.credential_status = []

    for image in (signer.sign_into_svg(badge, SVG), signer.sign_into_png(badge, png())):
        report = await world.verify(image, expected_recipient="ada@example.org")

        assert report.valid is True, failed(report)


async def test_a_revocation_in_its_status_list(world: World) -> None:
    peer = ed25519(world)
    publish_list(world, peer, 6)
    signer = ob3.OB3LdpSigner(peer.pem, peer.method_id)

    standing = await world.verify(signer.sign(peer.badge(index=5), created=NOW))
    revoked = await world.verify(signer.sign(peer.badge(index=6), created=NOW))

    assert standing.valid is True, failed(standing)
    assert [code for code, _ in failed(revoked)] == ["status"]


async def test_a_status_list_as_a_token(world: World) -> None:
    peer = ed25519(world)
    listed = ob3.build_status_list_credential(ISSUER, LIST, "revocation", [6], issued=NOW - timedelta(days=1))
    token = ob3.sign_status_list_credential(listed, peer.pem, "EdDSA")
    world.web.publish(LIST, token.encode(), media_type="text/plain")
    signer = ob3.OB3Signer(peer.pem, "EdDSA")

    assert (await world.verify(signer.sign(peer.badge(index=5)))).valid is True
    assert (await world.verify(signer.sign(peer.badge(index=6)))).valid is False


async def test_what_we_sign_they_verify(world: World) -> None:
    issuer = {"id": world.did, "type": ["Profile"], "name": "The School"}
    badge = world.badge(issuer=issuer, credentialStatus=None, validUntil=None)
    signed = world.sign(badge, method_id=f"{world.did}#{world.multikey}")

    verified = ob3.OB3LdpVerifier().verify(signed)

    assert verified.achievement.name == "Chess"
