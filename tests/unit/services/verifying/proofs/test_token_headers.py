"""What stands in a token's header: what is critical or changes what is signed is refused, the rest ignored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lapel.credentials.jose import base64url
from lapel.credentials.jose.vc_jwt import assemble
from tests.unit.services.verifying.proofs.test_tokens import by_hand, claims_of
from tests.unit.services.verifying.world import ISSUER, World, outcome


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"alg": "none"}, ("fail", "proof_invalid")),
        ({"alg": "HS256"}, ("fail", "proof_invalid")),
        ({"alg": ["ES384"]}, ("fail", "proof_invalid")),
        ({"alg": "ES384"}, ("unknown", "proof_unsupported")),
        ({"alg": "EdDSA", "crit": ["x"]}, ("fail", "proof_invalid")),
        ({"alg": "EdDSA", "crit": ["b64"], "b64": False}, ("fail", "proof_invalid")),
        ({"alg": "EdDSA", "b64": False}, ("fail", "proof_invalid")),
    ],
)
async def test_a_token_secured_in_another_way(world: World, header: dict[str, Any], expected: tuple[str, str]) -> None:
    report = await world.verify(by_hand(world, header, claims_of(world)))

    assert outcome(report, "proof") == expected


async def test_a_payload_that_is_signed_as_it_stands_is_not_taken_for_an_encoded_one(world: World) -> None:
    head = base64url.encode(json.dumps({"alg": "EdDSA", "kid": world.method_id, "b64": False}).encode())
    payload = base64url.encode(json.dumps(claims_of(world)).encode())
    signed = world.signer.sign(f"{head}.".encode() + base64url.decode(payload))  # RFC 7797, 5.1
    report = await world.verify(assemble(f"{head}.{payload}".encode(), signed))

    assert outcome(report, "proof") == ("fail", "proof_invalid")
    assert report.valid is False


async def test_header_members_that_nobody_knows_are_ignored(world: World) -> None:
    unknown = {
        "b64": True,
        "zip": "DEF",
        "jku": "https://k.example/",
        "x5u": "https://x.example/",
        "CRIT": ["x"],
        "x": {},
    }

    report = await world.verify(by_hand(world, {"alg": "EdDSA", "kid": world.method_id} | unknown, claims_of(world)))

    assert report.valid is True
    assert world.web.asked == [ISSUER]
