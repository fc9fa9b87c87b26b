"""Is the key published by its owner, allowed to sign, in force, and the issuer's?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lapel.credentials import keys
from lapel.domain.fetching import Fetched, FetchNotFound, FetchTimeout, FetchWrongType
from tests.unit.services.verifying.world import ISSUER, NOW, World, failed, outcome


def method(world: World, **changes: Any) -> dict[str, Any]:
    return {"verificationMethod": [world.issuer_document()["verificationMethod"][0] | changes]}


REVOKED_BEFORE = "2026-05-01T00:00:00Z"
REVOKED_AFTER = "2026-06-01T11:59:59Z"

KEY_TROUBLE: list[tuple[str, Callable[[World], dict[str, Any]]]] = [
    ("key_not_found", lambda world: {"verificationMethod": [], "assertionMethod": []}),
    ("key_not_authorised", lambda world: {"assertionMethod": []}),
    ("key_controller", lambda world: method(world, controller="https://other.example/")),
    ("key_invalid", lambda world: method(world, publicKeyMultibase="z6Mk")),
    ("key_invalid", lambda world: method(world, type=None)),
    # Controlled Identifiers 1.0, 2.2, and DID Core, 5.2.1: the same key in two forms "is prohibited".
    ("key_invalid", lambda world: method(world, publicKeyJwk=keys.jwk(world.signer.public_key))),
    ("key_revoked", lambda world: method(world, revoked=REVOKED_BEFORE)),
    ("key_revoked", lambda world: method(world, revoked="who knows when")),
    ("key_expired", lambda world: method(world, expires=REVOKED_BEFORE)),
    ("document_id", lambda world: {"id": "https://school.example/v3/issuers/2"}),
]


@pytest.mark.parametrize(("problem", "changes"), KEY_TROUBLE)
async def test_a_key_that_its_owner_does_not_stand_for_fails_key(
    world: World, problem: str, changes: Callable[[World], dict[str, Any]]
) -> None:
    world.publish_issuer(**changes(world))

    report = await world.verify(world.sign(world.badge(credentialStatus=None)))

    assert failed(report) == [("key", problem)]


async def test_a_key_revoked_after_the_badge_was_signed_still_counts(world: World) -> None:
    world.publish_issuer(**method(world, revoked=REVOKED_AFTER))
    badge = world.badge(credentialStatus=None)

    assert (await world.verify(world.sign(badge))).valid is True
    assert (await world.verify(world.sign(badge, created=NOW))).valid is False


@pytest.mark.parametrize("issuer", ["https://school.example/go?to=evil.example", "did:web:school.example:go"])
async def test_a_document_to_which_another_host_was_sent_is_not_the_issuers(world: World, issuer: str) -> None:
    """Many hosts redirect anybody anywhere: what is there is not theirs."""
    address = "https://school.example/go/did.json" if issuer.startswith("did:") else issuer
    method = {**world.issuer_document()["verificationMethod"][0], "id": f"{issuer}#key", "controller": issuer}
    document = {**world.issuer_document(), "id": issuer, "verificationMethod": [], "assertionMethod": [method]}
    badge = world.badge(issuer={"id": issuer, "type": ["Profile"]}, credentialStatus=None)
    signed = world.sign(badge, method_id=method["id"])
    token = world.token(badge, kid=method["id"])

    for landed, problems in (("school.example", []), ("evil.example", [("key", "hosted_elsewhere")])):
        body = json.dumps(document).encode()
        world.web.pages[address] = Fetched(f"https://{landed}/doc.json", "application/json", body, 200, None)
        assert failed(await world.verify(signed)) == problems
        assert failed(await world.verify(token)) == problems


async def test_an_embedded_method_is_a_key_for_assertions(world: World) -> None:
    document = world.issuer_document()
    world.publish_issuer(assertionMethod=document["verificationMethod"], verificationMethod=[])

    assert (await world.verify(world.sign(world.badge()))).valid is True


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (FetchTimeout("It took long."), ("unknown", "unreachable")),
        (FetchWrongType("It is text/html."), ("fail", "document_invalid")),
        (FetchNotFound("404", status=404), ("fail", "key_not_found")),
        (b"<html>", ("fail", "document_invalid")),
        (b'{"id": 1, "id": 2}', ("fail", "document_invalid")),
        (b"[]", ("fail", "document_invalid")),
        (b"{}", ("fail", "document_id")),
    ],
)
async def test_an_issuer_that_cannot_be_asked_is_unknown_and_one_that_answers_wrongly_fails(
    world: World, answer: Any, expected: tuple[str, str]
) -> None:
    if isinstance(answer, bytes):
        world.web.publish(ISSUER, answer)
    else:
        world.web.fail(ISSUER, answer)

    report = await world.verify(world.sign(world.badge(credentialStatus=None)))

    assert outcome(report, "key") == expected
    assert outcome(report, "signature") == ("unknown", "not_checked")
    assert report.valid is (None if expected[0] == "unknown" else False)


async def test_with_the_network_away_nothing_is_called_false(world: World) -> None:
    world.web.go_down()

    report = await world.verify(world.sign(world.badge()))

    assert report.valid is None
    assert failed(report) == []


async def test_a_key_of_somebody_else_fails_issuer(world: World) -> None:
    mallory = world.did
    badge = world.badge(credentialStatus=None)

    report = await world.verify(world.sign(badge, method_id=f"{mallory}#{world.multikey}"))

    assert failed(report) == [("issuer", "issuer_key_mismatch")]
    assert outcome(report, "signature") == ("pass", None)


async def test_the_wrong_key_fails_signature(world: World) -> None:
    report = await world.verify(world.sign(world.badge(), signer=world.new_signer()))

    assert failed(report) == [("signature", "signature_invalid")]


@pytest.mark.parametrize("did", ["did:ion:abc", "did:example:ada"])
async def test_a_did_of_an_unknown_method_is_no_reproach(world: World, did: str) -> None:
    report = await world.verify(world.sign(world.badge(issuer=did, credentialStatus=None), method_id=f"{did}#1"))

    assert report.valid is None
    assert outcome(report, "key") == ("unknown", "key_unsupported")


async def test_a_key_in_an_unknown_form_is_no_reproach(world: World) -> None:
    world.publish_issuer(**method(world, publicKeyMultibase=None, publicKeyBase58="abc"))

    report = await world.verify(world.sign(world.badge(credentialStatus=None)))

    assert report.valid is None
    assert outcome(report, "key") == ("unknown", "key_unsupported")


@pytest.mark.parametrize("did", ["did:key:z6Mk", "did:key:u7QE", "did:jwk:!", "did:jwk:e30", "did:web:127.0.0.1"])
async def test_a_did_that_cannot_be_read_fails_key(world: World, did: str) -> None:
    report = await world.verify(world.sign(world.badge(issuer=did, credentialStatus=None), method_id=f"{did}#1"))

    assert outcome(report, "key")[0] == "fail"
