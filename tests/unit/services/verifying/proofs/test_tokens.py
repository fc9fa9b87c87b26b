"""Badges as tokens (VC-JWT): whose key it is, and what the token says beside the credential."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from lapel.credentials.jose.vc_jwt import assemble
from lapel.domain.fetching import FetchNotFound, FetchTimeout, FetchWrongType
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import InvalidInput
from tests.unit.services.verifying.world import ISSUER, NOW, World, failed, outcome

KEY_BELOW = f"{ISSUER}/keys/1"
KEY_BESIDE = "https://school.example/keys/1"
KEY_ELSEWHERE = "https://keys.example/1"


def badge(world: World, **changes: Any) -> dict[str, Any]:
    return world.badge(credentialStatus=None, **changes)


def jwk(world: World, signer: keys.LocalSigner | None = None) -> JsonObject:
    return keys.jwk((signer or world.signer).public_key)


def by_hand(world: World, header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (base64url.encode(json.dumps(part).encode()) for part in (header, claims))
    data = ".".join(parts).encode()
    return assemble(data, world.signer.sign(data))


def claims_of(world: World, **changes: Any) -> dict[str, Any]:
    document = badge(world)
    claims = {**document, "iss": ISSUER, "jti": document["id"], "nbf": 1777593600, "exp": 1809129600, **changes}
    return {name: value for name, value in claims.items() if value is not None}


async def test_a_good_token_is_valid(world: World) -> None:
    report = await world.verify(world.token(world.badge()))

    assert report.valid is True
    assert report.shown.format == "vc-jwt"
    assert [check.code.value for check in report.checks] == [
        "structure",
        "contexts",
        "proof",
        "claims",
        "key",
        "issuer",
        "signature",
        "status",
        "validity",
        "recipient",
    ]


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.RSA, KeyAlgorithm.P256])
async def test_the_key_may_be_a_jwk_below_an_issuer_that_says_nothing_of_keys(
    world: World, algorithm: KeyAlgorithm
) -> None:
    signer = world.new_signer(algorithm)
    world.web.publish(ISSUER, {"id": ISSUER, "type": "Profile", "name": "The School"})
    world.web.publish(KEY_BELOW, jwk(world, signer))

    report = await world.verify(world.token(badge(world), kid=KEY_BELOW, signer=signer))

    assert report.valid is True


@pytest.mark.parametrize("members", [{}, {"assertionMethod": []}, {"verificationMethod": [], "assertionMethod": []}])
async def test_a_key_below_an_issuer_that_does_not_list_it_is_not_the_issuers(
    world: World, members: dict[str, Any]
) -> None:
    """Whoever may write below an issuer's address is not the issuer."""
    mallory = world.new_signer()
    world.publish_issuer(**members)
    world.web.publish(KEY_BELOW, jwk(world, mallory))

    report = await world.verify(world.token(badge(world), kid=KEY_BELOW, signer=mallory))

    assert failed(report) == [("issuer", "issuer_key_mismatch")]


async def test_a_withdrawn_key_does_not_live_on_at_its_own_address(world: World) -> None:
    world.publish_issuer(assertionMethod=[])
    world.web.publish(KEY_BELOW, jwk(world))

    report = await world.verify(world.token(badge(world), kid=KEY_BELOW))

    assert failed(report) == [("key", "key_not_authorised")]


async def test_an_issuer_may_list_the_bare_address_of_a_key(world: World) -> None:
    signer = world.new_signer()
    world.publish_issuer(assertionMethod=[KEY_ELSEWHERE])
    world.web.publish(KEY_ELSEWHERE, jwk(world, signer))

    assert (await world.verify(world.token(badge(world), kid=KEY_ELSEWHERE, signer=signer))).valid is True


async def test_a_key_listed_twice_is_as_revoked_as_its_worst_entry(world: World) -> None:
    [method] = world.issuer_document()["verificationMethod"]
    old = {**method, "id": f"{ISSUER}#old", "revoked": "2026-04-01T00:00:00Z"}
    world.publish_issuer(verificationMethod=[method, old])
    world.web.publish(KEY_BELOW, jwk(world))

    report = await world.verify(world.token(badge(world), kid=KEY_BELOW))

    assert failed(report) == [("key", "key_revoked")]


async def test_everything_on_a_host_is_not_below_an_issuer_that_is_the_host(world: World) -> None:
    host, key = "https://school.example", "https://school.example/~mallory/jwk.json"
    world.web.publish(host, {"id": host, "type": "Profile", "name": "The School"})
    world.web.publish(key, jwk(world))

    report = await world.verify(world.token(badge(world, issuer=host), kid=key))

    assert (report.valid, outcome(report, "issuer")) == (None, ("unknown", "issuer_same_origin"))


async def test_a_large_token_with_thousands_of_identifiers_is_not_looked_at(world: World) -> None:
    document = badge(world)
    document["credentialSubject"]["identifier"] = [{}] * 50_000

    report = await world.verify(world.token(document))

    assert failed(report) == [("structure", "too_complex")]
    assert world.web.asked == []


@pytest.mark.parametrize("meant", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "ES256"}])
async def test_a_published_key_that_is_for_something_else_fails_key(world: World, meant: dict[str, Any]) -> None:
    """RFC 7517, 4.2 to 4.4."""
    method_id = f"{ISSUER}#jwk"
    method = {"id": method_id, "type": "JsonWebKey", "controller": ISSUER, "publicKeyJwk": {**jwk(world), **meant}}
    world.publish_issuer(verificationMethod=[method], assertionMethod=[method_id])

    assert failed(await world.verify(world.token(badge(world), kid=method_id))) == [("key", "key_invalid")]


async def test_the_issuers_document_may_list_the_key_as_a_jwk(world: World) -> None:
    signer = world.new_signer(KeyAlgorithm.P256)
    method_id = f"{ISSUER}#p256"
    method = {"id": method_id, "type": "JsonWebKey", "controller": ISSUER, "publicKeyJwk": jwk(world, signer)}
    world.publish_issuer(verificationMethod=[method], assertionMethod=[method_id])

    assert (await world.verify(world.token(badge(world), kid=method_id, signer=signer))).valid is True
    assert (await world.verify(world.token(badge(world), kid="p256", signer=signer))).valid is True


async def test_a_key_anywhere_counts_if_the_issuer_lists_it(world: World) -> None:
    world.web.publish(KEY_ELSEWHERE, jwk(world))

    assert (await world.verify(world.token(badge(world), kid=KEY_ELSEWHERE))).valid is True


async def test_a_key_may_lie_in_a_set(world: World) -> None:
    kid = f"{KEY_ELSEWHERE}#k2"
    other = jwk(world, world.new_signer())
    world.web.publish(kid.partition("#")[0], {"keys": [{**other, "kid": "k1"}, {**jwk(world), "kid": "k2"}]})

    assert (await world.verify(world.token(badge(world), kid=kid))).valid is True


async def test_a_key_beside_an_issuer_that_lists_others_is_not_the_issuers(world: World) -> None:
    """Other issuers live on the same host: their keys must not sign in this one's name."""
    mallory = world.new_signer()
    world.web.publish(KEY_BESIDE, jwk(world, mallory))

    report = await world.verify(world.token(badge(world), kid=KEY_BESIDE, signer=mallory))

    assert failed(report) == [("issuer", "issuer_key_mismatch")]


@pytest.mark.parametrize("kid", [f"{ISSUER}/../2/keys/1", f"{ISSUER}/%2e%2e/2/keys/1", f"{ISSUER}2/keys/1"])
async def test_a_key_of_a_neighbour_is_not_the_issuers(world: World, kid: str) -> None:
    mallory = world.new_signer()
    world.web.publish(kid, jwk(world, mallory))

    report = await world.verify(world.token(badge(world), kid=kid, signer=mallory))

    assert failed(report) == [("issuer", "issuer_key_mismatch")]


@pytest.mark.parametrize(
    "answer",
    [
        {"id": ISSUER, "type": "Profile", "name": "The School"},
        {"id": "https://other.example"},
        b"<html>",
        FetchNotFound("404", status=404),
        FetchWrongType("It is text/html."),
    ],
)
async def test_whose_a_key_on_the_host_of_an_issuer_that_lists_none_is_cannot_be_told(
    world: World, answer: Any
) -> None:
    if isinstance(answer, dict | bytes):
        world.web.publish(ISSUER, answer)
    else:
        world.web.fail(ISSUER, answer)
    world.web.publish(KEY_BESIDE, jwk(world))
    world.web.publish(KEY_ELSEWHERE, jwk(world))

    beside = await world.verify(world.token(badge(world), kid=KEY_BESIDE))
    elsewhere = await world.verify(world.token(badge(world), kid=KEY_ELSEWHERE))

    assert (beside.valid, outcome(beside, "issuer")) == (None, ("unknown", "issuer_same_origin"))
    assert failed(elsewhere) == [("issuer", "issuer_key_mismatch")]


async def test_whose_a_key_beside_the_issuer_is_stays_unknown_while_the_issuer_is_away(world: World) -> None:
    world.web.fail(ISSUER, FetchTimeout("It took long."))
    world.web.publish(KEY_BESIDE, jwk(world))

    report = await world.verify(world.token(badge(world), kid=KEY_BESIDE))

    assert report.valid is None
    assert outcome(report, "issuer") == ("unknown", "unreachable")
    assert outcome(report, "signature") == ("pass", None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (FetchTimeout("It took long."), ("unknown", "unreachable")),
        (FetchNotFound("410", status=410), ("fail", "key_not_found")),
        (b"<html>", ("fail", "document_invalid")),
        (b'{"kty": "OKP", "crv": "Ed25519", "x": "AA"}', ("fail", "key_invalid")),
        (b'{"keys": []}', ("fail", "document_id")),
    ],
)
async def test_a_key_that_cannot_be_had(world: World, answer: Any, expected: tuple[str, str]) -> None:
    if isinstance(answer, bytes):
        world.web.publish(KEY_BELOW, answer)
    else:
        world.web.fail(KEY_BELOW, answer)

    report = await world.verify(world.token(badge(world), kid=KEY_BELOW))

    assert outcome(report, "key") == expected
    assert outcome(report, "signature") == ("unknown", "not_checked")


async def test_a_did_of_somebody_else_fails_issuer(world: World) -> None:
    report = await world.verify(world.token(badge(world), kid=f"{world.did}#{world.multikey}"))

    assert failed(report) == [("issuer", "issuer_key_mismatch")]


async def test_a_did_jwk_is_its_own_document(world: World) -> None:
    did = f"did:jwk:{base64url.encode(json.dumps(dict(jwk(world))).encode())}"

    report = await world.verify(world.token(badge(world, issuer=did), kid=f"{did}#0"))

    assert report.valid is True
    assert world.web.asked == []


async def test_a_did_jwk_is_no_longer_than_a_key(world: World) -> None:
    long = {**jwk(world), "x5c": ["A" * 4_000]}
    did = f"did:jwk:{base64url.encode(json.dumps(long).encode())}"

    report = await world.verify(world.token(badge(world, issuer=did), kid=f"{did}#0"))

    assert outcome(report, "key") == ("fail", "key_invalid")


async def test_a_revoked_key_is_known_by_whatever_name_it_is_called(world: World) -> None:
    method = {**world.issuer_document()["verificationMethod"][0], "revoked": "2026-04-01T00:00:00Z"}
    world.publish_issuer(verificationMethod=[method])
    world.web.publish(KEY_BELOW, jwk(world))

    report = await world.verify(world.token(badge(world), kid=KEY_BELOW))

    assert failed(report) == [("key", "key_revoked")]


async def test_a_key_that_the_token_brings_along_counts_if_the_issuer_publishes_it(world: World) -> None:
    header = {"alg": "EdDSA", "jwk": dict(jwk(world))}

    assert (await world.verify(by_hand(world, header, claims_of(world)))).valid is True


async def test_a_key_that_only_the_token_knows_fails_key(world: World) -> None:
    world.publish_issuer(verificationMethod=[], assertionMethod=[])
    header = {"alg": "EdDSA", "jwk": dict(jwk(world))}

    report = await world.verify(by_hand(world, header, claims_of(world)))

    assert failed(report) == [("key", "key_not_found")]
    assert outcome(report, "signature") == ("pass", None)


async def test_a_key_brought_along_must_be_the_one_that_is_named(world: World) -> None:
    header = {"alg": "EdDSA", "kid": world.method_id, "jwk": dict(jwk(world, world.new_signer()))}

    assert failed(await world.verify(by_hand(world, header, claims_of(world)))) == [("key", "key_invalid")]


async def test_a_token_that_names_no_key_fails_key(world: World) -> None:
    report = await world.verify(by_hand(world, {"alg": "EdDSA"}, claims_of(world)))

    assert failed(report) == [("key", "key_not_named")]


async def test_a_did_key_need_not_be_named(world: World) -> None:
    claims = claims_of(world, issuer=world.did, iss=world.did)

    assert (await world.verify(by_hand(world, {"alg": "EdDSA"}, claims))).valid is True


async def test_the_wrong_key_fails_signature(world: World) -> None:
    report = await world.verify(world.token(badge(world), signer=world.new_signer()))

    assert failed(report) == [("signature", "signature_invalid")]


async def test_a_key_of_another_kind_than_the_header_says_fails_signature(world: World) -> None:
    report = await world.verify(world.token(badge(world), signer=world.new_signer(KeyAlgorithm.P256)))

    assert failed(report) == [("signature", "signature_invalid")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"iss": "https://other.example/"}, "claim_mismatch"),
        ({"jti": "urn:uuid:1"}, "claim_mismatch"),
        ({"nbf": 1777593700}, "claim_mismatch"),
        ({"exp": 1809129700}, "claim_mismatch"),
        ({"nbf": None}, "claim_missing"),
        ({"iss": None}, "claim_missing"),
    ],
)
async def test_a_token_that_contradicts_its_credential_fails_claims(
    world: World, changes: dict[str, Any], problem: str
) -> None:
    header = {"alg": "EdDSA", "kid": world.method_id}

    assert failed(await world.verify(by_hand(world, header, claims_of(world, **changes)))) == [("claims", problem)]


@pytest.mark.parametrize("changes", [{"exp": NOW.timestamp() - 1}, {"nbf": NOW.timestamp() + 61}])
async def test_the_signature_of_a_jose_cose_token_has_a_period_of_its_own(
    world: World, changes: dict[str, Any]
) -> None:
    header = {"alg": "EdDSA", "kid": world.method_id, "typ": "vc+jwt"}
    good = await world.verify(by_hand(world, header, badge(world)))
    report = await world.verify(by_hand(world, header, {**badge(world), **changes}))

    assert good.valid is True
    assert [code for code, _ in failed(report)] == ["proof"]


async def test_a_token_past_the_end_of_its_credential_fails_validity(world: World) -> None:
    report = await world.verify(world.token(badge(world, validUntil="2026-05-31T00:00:00Z")))

    assert failed(report) == [("validity", "expired")]


async def test_an_unknown_context_is_only_a_warning_where_the_json_itself_is_signed(world: World) -> None:
    document = badge(world)
    document["@context"].append("https://example.org/own-context")

    report = await world.verify(world.token(document))

    assert report.valid is True
    assert outcome(report, "contexts") == ("warn", "context_unknown")


@pytest.mark.parametrize("text", ["ey.ey.ey", "eyJ9.eyJ9.", "eyJhbGciOiJFZERTQSJ9.W10.AA"])
async def test_a_token_that_cannot_be_read_is_refused(world: World, text: str) -> None:
    with pytest.raises(InvalidInput):
        await world.verify(text)
