"""Signed Open Badges 2.0: the key counts that the issuer's profile lists now, and its list of revocations is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from openbadgeslib.ob2.models import Assertion, IdentityObject, Verification
from openbadgeslib.ob2.signer import OB2Signer

from lapel.credentials import keys
from lapel.credentials.baking import BakedVersion, bake
from lapel.domain.fetching import FetchFailed, FetchNotFound, FetchTimeout
from lapel.domain.signing_key import KeyAlgorithm
from lapel.services.verifying import Kind, Outcome
from tests.support.badge_images import SVG, png
from tests.unit.services.verifying.badges_2 import (
    BADGE_CLASS,
    ISSUER,
    KEY,
    REVOCATIONS,
    badge_class,
    cryptographic_key,
    jws,
    pem,
    profile,
    publish_revocations,
    publish_signer,
    signed_assertion,
)
from tests.unit.services.verifying.world import NOW, World, failed, outcome, with_outcome


@pytest.fixture
def signer(world: World) -> World:
    publish_signer(world)
    return world


async def test_an_assertion_that_its_issuer_signed_is_valid(signer: World) -> None:
    report = await signer.verify(jws(signer, signed_assertion()), expected_recipient="ada@example.org")

    assert report.valid is True
    assert [check.code.value for check in report.checks] == [
        "structure",
        "badge_class",
        "proof",
        "key",
        "issuer",
        "signature",
        "status",
        "validity",
        "recipient",
    ]
    assert (report.shown.kind, report.shown.format) == (Kind.BADGE_2, "ob2-jws")
    assert (report.shown.name, report.shown.issuer_name) == ("Chess", "The School")


@pytest.mark.parametrize("image", [SVG, png()], ids=["svg", "png"])
async def test_an_image_may_carry_the_token(signer: World, image: bytes) -> None:
    baked = bake(image, jws(signer, signed_assertion()), version=BakedVersion.OB_2_0)

    assert (await signer.verify(baked)).valid is True


RSA_PAIR = keys.generate(KeyAlgorithm.RSA)
RSA = keys.LocalSigner(RSA_PAIR.private_key)


@pytest.mark.parametrize("by", [RSA, keys.LocalSigner(keys.generate(KeyAlgorithm.P256).private_key)], ids=["rsa", "ec"])
async def test_other_kinds_of_key_sign_too(world: World, by: keys.LocalSigner) -> None:
    world.signer = by
    publish_signer(world)

    assert (await world.verify(jws(world, signed_assertion()))).valid is True


async def test_another_implementations_signed_badge_is_valid(world: World) -> None:
    world.signer = RSA
    publish_signer(world)
    made = Assertion(
        id="urn:uuid:5f3c1e9e-0000-4000-8000-000000000008",
        recipient=IdentityObject.create("ada@example.org", "salt"),
        badge=BADGE_CLASS,
        verification=Verification(type="SignedBadge", creator=KEY),
        issued_on=NOW - timedelta(days=1),
    )
    token = OB2Signer(_private_pem(RSA_PAIR.private_key)).sign(made)

    report = await world.verify(token, expected_recipient="ada@example.org")

    assert report.valid is True, report


def _private_pem(der: bytes) -> bytes:
    key = serialization.load_der_private_key(der, None)
    form, open_ = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, open_)


async def test_without_a_named_key_each_of_the_issuers_is_tried(signer: World) -> None:
    other = f"{KEY}-old"
    signer.web.publish(other, cryptographic_key(signer, id=other, publicKeyPem=pem(signer.new_signer())))
    signer.web.publish(ISSUER, profile(publicKey=[other, KEY]))

    report = await signer.verify(jws(signer, signed_assertion(verification={"type": "signed"})))

    assert report.valid is True


async def test_a_key_may_stand_in_the_profile_itself(signer: World) -> None:
    inside = f"{ISSUER}#key"
    signer.web.publish(ISSUER, profile(publicKey=[cryptographic_key(signer, id=inside)]))

    creator = {"type": "SignedBadge", "creator": inside}

    assert (await signer.verify(jws(signer, signed_assertion(verification=creator)))).valid is True


async def test_a_badge_class_in_a_signed_badge_needs_no_host(signer: World) -> None:
    signer.web.fail(BADGE_CLASS, FetchNotFound("404", status=404))
    embedded = badge_class(id="urn:uuid:5f3c1e9e-0000-4000-8000-000000000003")

    assert (await signer.verify(jws(signer, signed_assertion(badge=embedded)))).valid is True


async def test_a_changed_assertion_fails_signature(signer: World) -> None:
    token, other = jws(signer, signed_assertion()), jws(signer, signed_assertion(narrative="She won."))
    mixed = ".".join((*other.split(".")[:2], token.split(".")[2]))

    assert failed(await signer.verify(mixed)) == [("signature", "signature_invalid")]


async def test_somebody_elses_key_fails_signature(signer: World) -> None:
    token = jws(signer, signed_assertion(), signer=signer.new_signer())

    assert failed(await signer.verify(token)) == [("signature", "signature_invalid")]


async def test_a_key_that_the_issuer_does_not_list_is_not_its_own(signer: World) -> None:
    """Whoever makes a badge can name a key of his own in it."""
    mine = "https://mallory.example/key"
    signer.web.publish(mine, cryptographic_key(signer, id=mine))

    verification = {"type": "SignedBadge", "creator": mine}
    report = await signer.verify(jws(signer, signed_assertion(verification=verification)))

    assert failed(report) == [("key", "key_not_authorised")]
    assert outcome(report, "signature") == ("unknown", "not_checked")
    assert mine not in signer.web.asked


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"owner": "https://mallory.example/"}, "key_controller"),
        ({"id": "https://school.example/v2/keys/2"}, "document_id"),
        ({"publicKeyPem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}, "key_invalid"),
        ({"publicKeyPem": None}, "key_invalid"),
    ],
)
async def test_a_key_that_is_not_what_it_should_be_fails_key(
    signer: World, changes: dict[str, Any], expected: str
) -> None:
    signer.web.publish(KEY, cryptographic_key(signer, **changes))

    assert failed(await signer.verify(jws(signer, signed_assertion()))) == [("key", expected)]


async def test_an_issuer_without_a_key_fails_key(signer: World) -> None:
    signer.web.publish(ISSUER, profile())

    assert failed(await signer.verify(jws(signer, signed_assertion()))) == [("key", "key_not_found")]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FetchNotFound("404", status=404), ("fail", "key_not_found")),
        (FetchTimeout("Long."), ("unknown", "unreachable")),
    ],
)
async def test_a_key_that_is_not_there_and_one_that_is_away_are_told_apart(
    signer: World, error: FetchFailed, expected: tuple[str, str]
) -> None:
    signer.web.fail(KEY, error)

    assert outcome(await signer.verify(jws(signer, signed_assertion())), "key") == expected


async def test_with_the_network_away_nothing_is_called_false(signer: World) -> None:
    signer.web.go_down()

    report = await signer.verify(jws(signer, signed_assertion()))

    assert report.valid is None
    assert failed(report) == []


async def test_where_one_of_several_keys_is_away_the_signature_is_not_called_false(signer: World) -> None:
    away = f"{KEY}-away"
    signer.web.publish(ISSUER, profile(publicKey=[KEY, away]))
    signer.web.fail(away, FetchTimeout("Long."))
    token = jws(signer, signed_assertion(verification={"type": "signed"}), signer=signer.new_signer())

    report = await signer.verify(token)

    assert report.valid is None
    assert with_outcome(report, Outcome.UNKNOWN) == [("key", "unreachable"), ("signature", "not_checked")]


async def test_an_algorithm_that_is_not_accepted_is_no_reproach(signer: World) -> None:
    report = await signer.verify(jws(signer, signed_assertion(), alg="PS256"))

    assert report.valid is None
    assert outcome(report, "proof") == ("unknown", "proof_unsupported")


@pytest.mark.parametrize("alg", ["none", "HS256"])
async def test_an_algorithm_that_proves_nothing_fails_proof(signer: World, alg: str) -> None:
    assert ("proof", "proof_invalid") in failed(await signer.verify(jws(signer, signed_assertion(), alg=alg)))


ID = str(signed_assertion()["id"])


@pytest.mark.parametrize("entry", [ID, {"id": ID, "revocationReason": "By mistake."}, {"uid": "abc"}])
async def test_an_assertion_in_the_list_is_revoked(signer: World, entry: object) -> None:
    publish_revocations(signer, "urn:uuid:another", entry)

    report = await signer.verify(jws(signer, signed_assertion(uid="abc")))

    assert failed(report) == [("status", "revoked")]


@pytest.mark.parametrize("entry", ["urn:uuid:another", {"id": ID, "revoked": False}, {"uid": "abd"}, None, 7])
async def test_an_assertion_that_is_not_in_the_list_is_not_revoked(signer: World, entry: object) -> None:
    publish_revocations(signer, entry)

    assert (await signer.verify(jws(signer, signed_assertion(uid="abc")))).valid is True


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": "Other"}, "status_list_invalid"),
        ({"revokedAssertions": None}, "status_list_invalid"),
    ],
)
async def test_a_list_that_is_not_what_it_should_be_fails_status(
    signer: World, changes: dict[str, Any], expected: str
) -> None:
    publish_revocations(signer, **changes)

    assert failed(await signer.verify(jws(signer, signed_assertion()))) == [("status", expected)]


async def test_a_list_that_the_issuer_names_counts_whosever_it_says_it_is(signer: World) -> None:
    """As in the example of the standard, whose profile has another id (OB 2.0 Examples, "RevocationList Example")."""
    publish_revocations(signer, issuer="https://school.example/issuer")

    report = await signer.verify(jws(signer, signed_assertion()))

    assert report.valid is True
    assert outcome(report, "status") == ("warn", "status_list_untrusted")

    publish_revocations(signer, ID, issuer="https://school.example/issuer")

    assert failed(await signer.verify(jws(signer, signed_assertion()))) == [("status", "revoked")]


async def test_a_list_that_is_away_leaves_it_unknown(signer: World) -> None:
    signer.web.fail(REVOCATIONS, FetchTimeout("Long."))

    report = await signer.verify(jws(signer, signed_assertion()))

    assert report.valid is None
    assert outcome(report, "status") == ("unknown", "unreachable")


async def test_without_a_list_there_is_nothing_to_ask(signer: World) -> None:
    signer.web.publish(ISSUER, profile(publicKey=KEY))

    report = await signer.verify(jws(signer, signed_assertion()))

    assert report.valid is True
    assert outcome(report, "status") == ("skip", None)


@pytest.mark.parametrize("entry", [ID, {"id": ID}])
@pytest.mark.parametrize(
    "changes", [{}, {"id": None}, {"id": "_:b0"}, {"issuer": None}], ids=["address", "none", "blank", "bare"]
)
async def test_a_list_in_the_profile_is_read(signer: World, entry: object, changes: dict[str, Any]) -> None:
    members = {"id": REVOCATIONS, "type": "RevocationList", "issuer": ISSUER, "revokedAssertions": [entry]} | changes
    embedded = {name: value for name, value in members.items() if value is not None}
    for written in (embedded, [embedded]):
        signer.web.publish(ISSUER, profile(publicKey=KEY, revocationList=written))

        assert failed(await signer.verify(jws(signer, signed_assertion()))) == [("status", "revoked")]


async def test_what_is_published_counts_beside_its_copy_in_the_profile(signer: World) -> None:
    publish_revocations(signer, ID)
    copy = {"id": REVOCATIONS, "type": "RevocationList", "revokedAssertions": []}
    for written in (copy, [REVOCATIONS], [{"id": REVOCATIONS}], {"@id": REVOCATIONS}):
        signer.web.publish(ISSUER, profile(publicKey=KEY, revocationList=written))

        assert failed(await signer.verify(jws(signer, signed_assertion()))) == [("status", "revoked")]


@pytest.mark.parametrize(
    "written",
    ["", 7, {}, [[]], {"revokedAssertions": []}, [REVOCATIONS, f"{REVOCATIONS}/2"]],
)
async def test_a_list_that_cannot_be_read_is_not_taken_for_none(signer: World, written: object) -> None:
    publish_revocations(signer, ID)
    signer.web.publish(ISSUER, profile(publicKey=KEY, revocationList=written))

    report = await signer.verify(jws(signer, signed_assertion()))

    assert report.valid is None
    assert outcome(report, "status") == ("unknown", "status_list_invalid")


async def test_an_issuer_that_is_not_what_it_should_be_vouches_for_no_key(signer: World) -> None:
    signer.web.publish(ISSUER, profile(id="https://mallory.example/", publicKey=KEY))

    report = await signer.verify(jws(signer, signed_assertion()))

    assert failed(report) == [("issuer", "document_id")]
    assert outcome(report, "key") == ("unknown", "not_checked")
    assert KEY not in signer.web.asked


async def test_where_only_dead_keys_were_tried_the_answer_is_open(signer: World) -> None:
    dead = [f"{KEY}-{number}" for number in range(4)]
    signer.web.publish(ISSUER, profile(publicKey=[*dead, KEY], revocationList=REVOCATIONS))

    report = await signer.verify(jws(signer, signed_assertion(verification={"type": "signed"})))

    assert report.valid is None
    assert with_outcome(report, Outcome.UNKNOWN) == [("key", "not_checked"), ("signature", "not_checked")]


async def test_where_one_key_is_dead_and_another_away_the_answer_is_open(signer: World) -> None:
    away = f"{KEY}-away"
    signer.web.fail(away, FetchTimeout("Long."))
    signer.web.publish(ISSUER, profile(publicKey=[f"{KEY}-dead", away], revocationList=REVOCATIONS))

    report = await signer.verify(jws(signer, signed_assertion(verification={"type": "signed"})))

    assert report.valid is None
    assert outcome(report, "key") == ("unknown", "unreachable")


@pytest.mark.parametrize("typ", ["JOSE", "jose", "JWS", "application/jose", "JWT"])
async def test_a_token_may_say_no_more_than_that_it_is_signed(signer: World, typ: str) -> None:
    assert (await signer.verify(jws(signer, signed_assertion(), typ=typ))).valid is True


async def test_one_badge_cannot_make_the_server_ask_for_keys_without_end(signer: World) -> None:
    signer.web.publish(ISSUER, profile(publicKey=[f"{KEY}-{number}" for number in range(100)]))

    await signer.verify(jws(signer, signed_assertion(verification={"type": "signed"})))

    assert sum(url.startswith(KEY) for url in signer.web.asked) == 4


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"expires": "2026-05-31T00:00:00Z"}, ("validity", "expired")),
        ({"issuedOn": "2026-06-02T00:00:00Z"}, ("validity", "not_yet_valid")),
        ({"recipient": None}, ("structure", "member_missing")),
    ],
)
async def test_what_is_wrong_with_the_assertion_itself_is_said(
    signer: World, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert failed(await signer.verify(jws(signer, signed_assertion(**changes)))) == [expected]
