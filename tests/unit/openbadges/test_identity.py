"""Recipients: who is named, who is hashed, who is found again."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lapel.errors import InvalidInput
from lapel.openbadges.identity import Recipient, RecipientType, identity_hash, lookup_hash, read_recipient
from lapel.openbadges.problems import Problems


def recipient(**members: Any) -> Recipient:
    problems = Problems()
    given = {"type": "email", "identity": "ada@example.org", "hashed": None, "name": None}
    found = read_recipient(problems, "/recipient", **(given | members))
    problems.raise_any()
    assert found is not None
    return found


def test_an_e_mail_address_is_hashed_unless_told_otherwise() -> None:
    (identity,) = recipient().identifiers(salt="5a17")
    expected = hashlib.sha256(b"ada@example.org5a17").hexdigest()
    assert identity == {
        "type": "IdentityObject",
        "hashed": True,
        "identityHash": f"sha256${expected}",
        "identityType": "emailAddress",
        "salt": "5a17",
    }


def test_an_e_mail_address_is_shown_on_request() -> None:
    (identity,) = recipient(hashed=False).identifiers(salt="5a17")
    assert identity["identityHash"] == "ada@example.org"
    assert identity["hashed"] is False
    assert "salt" not in identity


@pytest.mark.parametrize(
    ("word", "kind"),
    [("email", "emailAddress"), ("emailAddress", "emailAddress"), ("phone", "ext:phone"), ("telephone", "ext:phone")],
)
def test_both_standards_words_are_understood(word: str, kind: str) -> None:
    identity = "+442079460958" if kind == "ext:phone" else "ada@example.org"
    assert recipient(type=word, identity=identity).type.value == kind


@pytest.mark.parametrize(
    ("kind", "identity"),
    [
        ("did", "did:key:z6Mk"),
        ("url", "https://ada.example/"),
        ("url", "urn:uuid:6a3d0f1c-0000-4000-8000-000000000001"),
    ],
)
def test_a_did_or_a_url_is_the_subject(kind: str, identity: str) -> None:
    found = recipient(type=kind, identity=identity)
    assert found.subject_id == identity
    assert found.identifiers(salt="5a17") == []
    assert not found.hashed


def test_a_name_is_a_second_identity_in_plain_text() -> None:
    found = recipient(type="did", identity="did:key:z6Mk", name="Ada").identifiers(salt="5a17")
    assert [(item["identityType"], item["identityHash"]) for item in found] == [("name", "Ada")]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"type": "carrier pigeon"}, "/recipient/type"),
        ({"identity": "ada"}, "/recipient/identity"),
        ({"type": "did", "identity": "did:key:z6Mk", "hashed": True}, "/recipient/hashed"),
        ({"name": ""}, "/recipient/name"),
        ({"name": "a\x00"}, "/recipient/name"),
    ],
)
def test_what_is_wrong_is_pointed_at(members: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        recipient(**members)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_the_look_up_finds_an_address_in_any_case_and_needs_the_key() -> None:
    key = bytes(32)
    assert lookup_hash(recipient(identity="ADA@Example.org"), key=key) == lookup_hash(recipient(), key=key)
    assert lookup_hash(recipient(), key=bytes(31) + b"1") != lookup_hash(recipient(), key=key)


def test_what_looks_alike_hashes_alike() -> None:
    decomposed, composed = "ade\u0301@example.org", "ad\u00e9@example.org"
    assert recipient(identity=decomposed).identity == recipient(identity=composed).identity
    assert recipient(type="phone", identity="+44 20 7946 0958").identity == "+442079460958"


def test_the_hash_is_that_of_both_standards() -> None:
    assert identity_hash("a@example.org", "s") == f"sha256${hashlib.sha256(b'a@example.orgs').hexdigest()}"
    assert RecipientType.PHONE.value.startswith("ext:")
