"""Several proofs on one badge: a set, of which one good one is enough, and a chain, whose links cover those before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lapel.credentials import data_integrity, ed25519_signature_2020, eddsa_rdfc_2022, keys
from lapel.credentials.did import did_key
from lapel.credentials.jsonld import GeneralPathTimeout
from lapel.credentials.rdf.nquads import Quad
from lapel.domain.json import JsonObject
from tests.unit.services.verifying.world import NOW, World, failed, outcome

SUITE_2020 = "https://w3id.org/security/suites/ed25519-2020/v1"


def by(signer: keys.LocalSigner) -> str:
    return did_key(keys.load_public(signer.public_key)).verification_method


def witnessed(world: World, **changes: Any) -> dict[str, Any]:
    """A badge that a witness has signed, and after it, over that, the issuer."""
    badge, witness = world.badge(), world.new_signer()
    first = world.sign(badge, signer=witness, method_id=by(witness), id="urn:uuid:1")["proof"]
    return {**badge, "proof": [first, chained(world, badge, [first], **changes)]}


def chained(world: World, badge: JsonObject, covered: list[JsonObject], **changes: Any) -> dict[str, Any]:
    """The issuer's proof over the badge and over the proofs before."""
    options = eddsa_rdfc_2022.proof_options(
        badge, verification_method=world.method_id, created=NOW - timedelta(minutes=5)
    )
    options |= {"id": "urn:uuid:2", "previousProof": [str(proof["id"]) for proof in covered], **changes}
    document = data_integrity.unsecured(badge, previous=covered)
    signature = world.signer.sign(eddsa_rdfc_2022.hash_data(world.canonical(options), world.canonical(document)))
    return eddsa_rdfc_2022.with_value(options, eddsa_rdfc_2022.encode_proof_value(signature))


@pytest.mark.parametrize("order", [1, -1])
async def test_the_issuers_link_of_a_chain_makes_the_badge_valid(world: World, order: int) -> None:
    signed = witnessed(world)
    report = await world.verify({**signed, "proof": signed["proof"][::order]})
    assert report.valid is True, failed(report)


CHANGES: list[Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = [
    lambda proofs: [{**proofs[0], "created": "2026-01-01T00:00:00Z"}, proofs[1]],
    lambda proofs: [{**proofs[0], "proofValue": proofs[1]["proofValue"]}, proofs[1]],
    lambda proofs: [{**proofs[0], "id": "urn:uuid:3"}, proofs[1]],
    lambda proofs: [proofs[1]],
    lambda proofs: [proofs[0], {**proofs[1], "previousProof": []}],
    lambda proofs: [proofs[0], {name: value for name, value in proofs[1].items() if name != "previousProof"}],
    lambda proofs: [proofs[0], {**proofs[1], "previousProof": ["urn:uuid:2"]}],
]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_chain_whose_links_were_changed_is_not_valid(
    world: World, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    signed = witnessed(world)
    report = await world.verify({**signed, "proof": change(signed["proof"])})
    assert report.valid is False


def forged(proof: dict[str, Any], world: World) -> None:
    proof["proofValue"] = eddsa_rdfc_2022.encode_proof_value(world.signer.sign(b"something else"))


def expired(proof: dict[str, Any], world: World) -> None:
    proof["expires"] = "2026-05-31T00:00:00Z"


def of_another_kind(proof: dict[str, Any], world: World) -> None:
    proof["cryptosuite"] = "ecdsa-rdfc-2019"


@pytest.mark.parametrize(
    ("change", "valid", "found"),
    [
        (forged, False, ("fail", "proof_invalid")),
        (expired, False, ("fail", "proof_invalid")),
        (of_another_kind, None, ("unknown", "not_checked")),
    ],
)
async def test_a_link_holds_only_if_those_before_it_hold(
    world: World, change: Callable[[dict[str, Any], World], None], valid: bool | None, found: tuple[str, str]
) -> None:
    """Data Integrity 1.0, 2.1: all of them must also verify for the current proof to be considered verified."""
    badge, witness = world.badge(), world.new_signer()
    first = world.sign(badge, signer=witness, method_id=by(witness), id="urn:uuid:1")["proof"]
    change(first, world)

    report = await world.verify({**badge, "proof": [chained(world, badge, [first]), first]})

    assert report.valid is valid
    assert outcome(report, "proof") == found
    assert outcome(report, "signature") == ("pass", None)


async def test_how_a_long_chain_begins_is_left_open(world: World) -> None:
    badge = world.badge()
    proofs = [world.sign(badge, id="urn:uuid:10")["proof"]]
    for number in range(11, 16):
        proofs.append(chained(world, badge, proofs[-1:], id=f"urn:uuid:{number}"))

    assert (await world.verify({**badge, "proof": proofs[4::-1]})).valid is True
    assert (await world.verify({**badge, "proof": proofs[::-1]})).valid is None
    assert (await world.verify({**badge, "proof": proofs})).valid is True


async def test_somebody_elses_proof_beside_the_issuers_does_no_harm_and_alone_no_good(world: World) -> None:
    badge, witness = world.badge(), world.new_signer()
    foreign = world.sign(badge, signer=witness, method_id=by(witness))["proof"]
    own = world.sign(badge)["proof"]

    for proofs in ([foreign, own], [own, foreign]):
        assert (await world.verify({**badge, "proof": proofs})).valid is True
    report = await world.verify({**badge, "proof": [foreign]})
    assert failed(report) == [("issuer", "issuer_key_mismatch")]


@pytest.mark.parametrize("with_context", [True, False])
@pytest.mark.parametrize("member", ["name", None])
async def test_an_ed25519_signature_2020_counts_as_the_suite_says(
    world: World, with_context: bool, member: str | None
) -> None:
    badge = world.badge()
    if with_context:
        badge["@context"] = [*badge["@context"], SUITE_2020]
    proof = {
        "type": ed25519_signature_2020.PROOF_TYPE,
        "created": "2026-06-01T11:00:00Z",
        "verificationMethod": world.method_id,
        "proofPurpose": "assertionMethod",
    }
    options = ed25519_signature_2020.options_of(proof, badge)
    data = eddsa_rdfc_2022.hash_data(world.canonical(options), world.canonical(badge))
    signed = {**badge, "proof": {**proof, "proofValue": eddsa_rdfc_2022.encode_proof_value(world.signer.sign(data))}}
    if member is not None:
        signed[member] = "Something else"

    report = await world.verify(signed)

    assert report.valid is (member is None), failed(report)
    if member is not None:
        assert outcome(report, "signature") == ("fail", "signature_invalid")


async def test_the_one_point_one_data_model_with_a_2020_proof(world: World) -> None:
    badge = world.badge(validFrom=None, issuanceDate="2026-05-01T00:00:00Z", credentialStatus=None)
    badge["@context"] = ["https://www.w3.org/2018/credentials/v1", badge["@context"][1], SUITE_2020]
    proof = {
        "type": ed25519_signature_2020.PROOF_TYPE,
        "created": "2026-06-01T11:00:00Z",
        "verificationMethod": world.method_id,
        "proofPurpose": "assertionMethod",
    }
    data = eddsa_rdfc_2022.hash_data(
        world.canonical(ed25519_signature_2020.options_of(proof, badge)), world.canonical(badge)
    )
    signed = {**badge, "proof": {**proof, "proofValue": eddsa_rdfc_2022.encode_proof_value(world.signer.sign(data))}}

    report = await world.verify(signed)

    assert report.valid is True, failed(report)


class Overworked:
    """A JSON-LD processor for which every document is too much."""

    def __init__(self) -> None:
        self.asked = 0

    async def to_quads(self, document: JsonObject, *, strict_numbers: bool = True) -> list[Quad]:
        self.asked += 1
        raise GeneralPathTimeout


async def test_what_takes_too_long_once_is_not_tried_again_for_each_link(world: World) -> None:
    signed = witnessed(world)
    context = [*signed["@context"], {"extra": "https://example.org/extra"}]  # beyond the fast path
    processor = Overworked()
    world.verifying = world.new_verifying(general_path=processor)

    report = await world.verify({**signed, "@context": context})

    assert report.valid is None
    assert outcome(report, "json_ld") == ("unknown", "too_complex")
    assert processor.asked == 1
