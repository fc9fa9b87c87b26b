"""eddsa-rdfc-2022: making proofs, and verifying what strangers wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lapel.credentials import ed25519_signature_2020, eddsa_rdfc_2022, multibase
from lapel.credentials.data_integrity import Proof, proofs_of
from lapel.credentials.eddsa_rdfc_2022 import (
    ProofInvalid,
    ProofMalformed,
    encode_proof_value,
    hash_data,
    options_of,
    previous_proofs,
    proof_options,
    read_proof,
    unsecured,
    verify,
    with_value,
)
from lapel.domain.json import JsonObject, JsonValue

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
DOCUMENT: JsonObject = {"@context": ["https://www.w3.org/ns/credentials/v2"], "id": "urn:uuid:1"}
DATA = hash_data("options", "document")
PROOF: JsonObject = {
    "type": "DataIntegrityProof",
    "cryptosuite": "eddsa-rdfc-2022",
    "created": "2026-01-02T03:04:05Z",
    "verificationMethod": "https://example.org/issuer#key",
    "proofPurpose": "assertionMethod",
    "proofValue": encode_proof_value(KEY.sign(DATA)),
}


def test_options_carry_the_contexts_of_the_document_and_whole_seconds() -> None:
    options = proof_options(
        DOCUMENT,
        verification_method="https://example.org/issuer#key",
        created=NOW.astimezone(timezone(timedelta(hours=2))),
    )

    assert options == {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-rdfc-2022",
        "created": "2026-01-02T03:04:05Z",
        "verificationMethod": "https://example.org/issuer#key",
        "proofPurpose": "assertionMethod",
    }


def test_a_finished_proof_gives_back_its_options() -> None:
    options = proof_options(DOCUMENT, verification_method="https://example.org/issuer#key", created=NOW)
    signature = KEY.sign(DATA)

    proof = with_value(options, encode_proof_value(signature))

    assert "@context" not in proof
    assert proof == PROOF
    assert options_of(proof, DOCUMENT) == options


def test_the_unsecured_document_has_no_proof_and_the_rest_unchanged() -> None:
    assert unsecured({**DOCUMENT, "proof": PROOF}) == DOCUMENT


def test_the_hash_is_that_of_the_options_then_of_the_document() -> None:
    assert len(DATA) == 64
    assert DATA == hash_data(b"options", b"document") != hash_data("document", "options")


def test_a_valid_signature_passes() -> None:
    verify(DATA, read_proof(PROOF).proof_value, KEY.public_key())


@given(st.integers(0, 511))
def test_any_changed_bit_of_the_hash_is_noticed(bit: int) -> None:
    changed = (int.from_bytes(DATA) ^ (1 << bit)).to_bytes(64)

    with pytest.raises(ProofInvalid):
        verify(changed, read_proof(PROOF).proof_value, KEY.public_key())


@given(st.integers(0, 511))
def test_any_changed_bit_of_the_signature_is_noticed(bit: int) -> None:
    changed = (int.from_bytes(KEY.sign(DATA)) ^ (1 << bit)).to_bytes(64)

    with pytest.raises(ProofInvalid):
        verify(DATA, encode_proof_value(changed), KEY.public_key())


def test_another_key_is_noticed() -> None:
    with pytest.raises(ProofInvalid):
        verify(DATA, read_proof(PROOF).proof_value, Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key())


@pytest.mark.parametrize(
    "value",
    [
        "",
        "z",
        "z0",
        multibase.base58btc(bytes(63)),
        multibase.base58btc(b"\xff" * 65),
        multibase.base64url(KEY.sign(DATA)),
        "z" * 1_000_000,
    ],
    ids=range(7),
)
def test_a_value_that_is_no_signature_is_malformed(value: str) -> None:
    with pytest.raises(ProofMalformed):
        verify(DATA, value, KEY.public_key())


def test_only_64_bytes_are_written_as_a_value() -> None:
    with pytest.raises(ProofMalformed):
        encode_proof_value(bytes(63))


def test_a_proof_is_read() -> None:
    assert read_proof({**PROOF, "challenge": "c", "nonce": "n", "domain": ["example.org"]})
    proof = read_proof({**PROOF, "expires": "2027-01-01T00:00:00.5+01:00", "previousProof": "urn:uuid:2"})

    assert proof == Proof(
        verification_method="https://example.org/issuer#key",
        proof_purpose="assertionMethod",
        proof_value=encode_proof_value(KEY.sign(DATA)),
        created=NOW.replace(microsecond=0),
        expires=datetime(2026, 12, 31, 23, 0, 0, 500_000, tzinfo=UTC),
        previous=("urn:uuid:2",),
    )


def test_a_time_without_an_offset_is_utc() -> None:
    assert read_proof({**PROOF, "created": "2026-01-02T03:04:05"}).created == NOW.replace(microsecond=0)


def test_times_may_be_left_out() -> None:
    proof = read_proof({name: value for name, value in PROOF.items() if name != "created"})

    assert proof.created is proof.expires is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("type", "Ed25519Signature2020"),
        ("type", ["DataIntegrityProof"]),
        ("cryptosuite", "eddsa-jcs-2022"),
        ("cryptosuite", None),
        ("verificationMethod", None),
        ("verificationMethod", {"id": "https://example.org/issuer#key"}),
        ("proofPurpose", ""),
        ("proofValue", 1),
        ("created", "yesterday"),
        ("created", "2026-13-02T03:04:05Z"),
        ("created", "2026-01-02T03:04:05+99:99"),
        ("created", "2026-01-02T03:04:05+14:01"),
        ("created", "2026-01-02 03:04:05Z"),
        ("created", 1),
        ("expires", "２０２６-01-02T03:04:05Z"),
        ("previousProof", 1),
        ("previousProof", ""),
        ("previousProof", [1]),
        ("previousProof", {"id": "urn:uuid:2"}),
        ("previousProof", ["urn:uuid:2"] * 100),
        ("challenge", 1),
        ("nonce", ["n"]),
        ("domain", 1),
        ("domain", ["example.org", 1]),
    ],
)
def test_a_malformed_member_is_refused(name: str, value: JsonValue) -> None:
    with pytest.raises(ProofMalformed):
        read_proof({**PROOF, name: value})


def test_the_proofs_of_a_document_are_listed() -> None:
    assert proofs_of(DOCUMENT) == []
    assert proofs_of({"proof": PROOF}) == [PROOF]
    assert proofs_of({"proof": [PROOF, PROOF]}) == [PROOF, PROOF]


@pytest.mark.parametrize("value", ["text", 1, ["text"], [[PROOF]], [PROOF] * 100])
def test_what_is_no_proof_or_too_many_is_refused(value: JsonValue) -> None:
    with pytest.raises(ProofMalformed):
        proofs_of({"proof": value})


def test_a_chained_proof_finds_the_proofs_that_it_covers() -> None:
    first: JsonObject = {**PROOF, "id": "urn:uuid:1"}
    second: JsonObject = {**PROOF, "id": ["urn:uuid:2"]}
    last: JsonObject = {**PROOF, "previousProof": ["urn:uuid:1"]}
    document: JsonObject = {**DOCUMENT, "proof": [first, second, last]}

    covered = previous_proofs(document, read_proof(last))

    assert covered == [first]
    assert unsecured(document, previous=covered) == {**DOCUMENT, "proof": [first]}


def test_a_chained_proof_whose_link_is_missing_is_refused() -> None:
    last: JsonObject = {**PROOF, "previousProof": ["urn:uuid:1"]}

    with pytest.raises(ProofMalformed):
        previous_proofs({**DOCUMENT, "proof": [last]}, read_proof(last))


def test_the_2020_suite_reads_its_own_type_only() -> None:
    proof: JsonObject = {**PROOF, "type": "Ed25519Signature2020"}

    assert ed25519_signature_2020.read_proof(proof).proof_purpose == "assertionMethod"
    with pytest.raises(ProofMalformed):
        ed25519_signature_2020.read_proof(PROOF)


@pytest.mark.parametrize(
    ("given_contexts", "used"),
    [
        ("urn:c", ["urn:c", ed25519_signature_2020.CONTEXT]),
        (["urn:c"], ["urn:c", ed25519_signature_2020.CONTEXT]),
        (None, [ed25519_signature_2020.CONTEXT]),
        (ed25519_signature_2020.CONTEXT, ed25519_signature_2020.CONTEXT),
    ],
)
def test_the_2020_suite_adds_its_context_where_it_is_missing(given_contexts: JsonValue, used: JsonValue) -> None:
    options = ed25519_signature_2020.options_of(PROOF, {"@context": given_contexts})

    assert options["@context"] == used
    assert "proofValue" not in options


def test_the_module_names_its_suite() -> None:
    assert (eddsa_rdfc_2022.PROOF_TYPE, eddsa_rdfc_2022.CRYPTOSUITE) == ("DataIntegrityProof", "eddsa-rdfc-2022")
