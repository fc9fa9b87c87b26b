"""VC-JWTs as Open Badges 3.0, 8.2, has them, with each algorithm that an issuer can be asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from openbadgeslib.ob3 import OB3Verifier

from lapel.credentials import multikey
from lapel.credentials.jose import base64url
from lapel.credentials.keys import load_public
from lapel.domain.credential import Credential
from lapel.errors import InvalidInput
from tests.unit.services.server import Server
from tests.unit.services.site import Site, failures, verify

KINDS: dict[str, Any] = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}
AWARD: dict[str, Any] = {
    "recipient": {"type": "did", "identity": "did:example:ada"},
    "validFrom": "2026-05-01T10:00:00Z",
    "validUntil": "2030-05-01T10:00:00Z",
}


def part(credential: Credential, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64url.decode(credential.signed.decode().split(".")[number]))
    return found


async def issued(server: Server, *, identity: str = "https", **members: Any) -> Credential:
    await server.issuer(identity=identity)
    achievement = await server.achievement()
    return await server.issue(achievement=str(achievement.id), format="vc-jwt", **AWARD | members)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # `alg` of Open Badges, not to be changed
@pytest.mark.parametrize("algorithm", list(KINDS))
async def test_a_token_is_what_the_specification_says(server: Server, algorithm: str) -> None:
    credential = await issued(server, jwtAlgorithm=algorithm)

    header, claims = part(credential, 0), part(credential, 1)
    assert header == {"alg": algorithm, "typ": "JWT", "kid": header["kid"]}
    jwk = json.loads(await Site(server).body(header["kid"]))
    token = jws.deserialize_compact(
        credential.signed.decode(), KINDS[algorithm].import_key(jwk), algorithms=[algorithm]
    )
    assert json.loads(token.payload) == claims
    registered = {name: claims.pop(name) for name in ("iss", "sub", "jti", "nbf", "exp", "iat")}
    assert registered == {
        "iss": claims["issuer"]["id"],
        "sub": claims["credentialSubject"]["id"],
        "jti": claims["id"],
        "nbf": 1777629600,
        "exp": 1903860000,
        "iat": int(server.now.timestamp()),
    }
    assert claims["validFrom"] == AWARD["validFrom"]
    assert {"vc", "proof"}.isdisjoint(claims)


@pytest.mark.parametrize("identity", ["https", "did:web"])
@pytest.mark.parametrize("algorithm", list(KINDS))
async def test_both_verifiers_accept_it(server: Server, algorithm: str, identity: str) -> None:
    credential = await issued(server, identity=identity, jwtAlgorithm=algorithm)

    report = await verify(server, credential.signed)
    assert report.valid, failures(report)
    keys = await server.key_ring.public_keys(credential.issuer_id)
    theirs = OB3Verifier(pubkey_pem=load_public(keys[0 if algorithm == "EdDSA" else 1].public_key))
    assert theirs.verify(credential.signed.decode()).achievement.name == "Knots"


async def test_a_did_key_signs_tokens_with_the_key_that_it_is(server: Server) -> None:
    credential = await issued(server, identity="did:key", jwtAlgorithm="EdDSA")
    header = part(credential, 0)
    assert header["alg"] == "EdDSA"
    multikey.decode(header["kid"].partition("#")[2])
    with pytest.raises(InvalidInput) as caught:
        await server.issue(achievement=str(credential.achievement_id), format="vc-jwt", jwtAlgorithm="ES256", **AWARD)
    assert [error.pointer for error in caught.value.errors] == ["/jwtAlgorithm"]


async def test_an_algorithm_belongs_to_a_token(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    with pytest.raises(InvalidInput) as caught:
        await server.issue(achievement=str(achievement.id), jwtAlgorithm="RS256", **AWARD)
    assert [error.pointer for error in caught.value.errors] == ["/jwtAlgorithm"]
