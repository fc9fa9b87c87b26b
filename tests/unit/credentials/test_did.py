"""did:key and did:web."""

from __future__ import annotations

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from lapel.credentials import multibase, multikey
from lapel.credentials.did import (
    DidKey,
    InvalidDid,
    did_key,
    did_web,
    did_web_document_url,
    parse_did_key,
)
from lapel.credentials.multikey import InvalidMultikey, PublicKey
from lapel.errors import LapelError

ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
WEAK = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505  # to see it refused
KEYS: list[tuple[str, PublicKey]] = [
    ("z6Mk", ED25519),
    ("zDn", ec.derive_private_key(7, ec.SECP256R1()).public_key()),
    ("z82", ec.derive_private_key(7, ec.SECP384R1()).public_key()),
    ("z4MX", rsa.generate_private_key(65537, 2048).public_key()),
]


@pytest.mark.parametrize(("prefix", "key"), KEYS)
def test_a_did_key_holds_its_key(prefix: str, key: PublicKey) -> None:
    made = did_key(key)

    assert made.did.startswith(f"did:key:{prefix}")
    assert parse_did_key(made.did) == made
    assert parse_did_key(made.did).public_key == key


def test_a_did_key_is_read_from_its_verification_method() -> None:
    made = did_key(ED25519)

    assert made.verification_method == f"{made.did}#{made.multikey}"
    assert parse_did_key(made.verification_method) == DidKey(made.did, ED25519)


def test_the_document_of_a_did_key_offers_its_key() -> None:
    made = did_key(ED25519)

    document = made.document()

    assert document["id"] == made.did
    assert document["verificationMethod"] == [
        {
            "id": made.verification_method,
            "type": "Multikey",
            "controller": made.did,
            "publicKeyMultibase": made.multikey,
        }
    ]
    assert document["assertionMethod"] == document["authentication"] == [made.verification_method]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did:web:example.org",
        "did:key:",
        "did:key:f00",
        f"did:key:{multibase.base64url(bytes(34))}",
        f"{did_key(ED25519).did}#",
        f"{did_key(ED25519).did}#{multikey.encode(KEYS[1][1])}",
        "did:key:z6Mk0",
    ],
)
def test_another_text_is_no_did_key(text: str) -> None:
    with pytest.raises((InvalidDid, InvalidMultikey)):
        parse_did_key(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xed",
        b"\xed\x01" + bytes(31),
        b"\xed\x01" + bytes(33),
        b"\xec\x01" + bytes(32),
        b"\x80\x24" + b"\x02" + b"\xff" * 32,
        b"\x80\x24" + KEYS[1][1].public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        b"\x85\x24" + KEYS[3][1].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        b"\x85\x24" + KEYS[1][1].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        b"\x85\x24" + WEAK.public_bytes(Encoding.DER, PublicFormat.PKCS1),
    ],
    ids=lambda data: data[:3].hex(),
)
def test_what_is_not_exactly_a_key_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidMultikey):
        multikey.decode(multibase.base58btc(data))


def test_a_key_in_another_base_than_base58btc_is_refused() -> None:
    """Data Integrity EdDSA 1.0, 2.1.1: any other encoding must not be allowed."""
    with pytest.raises(InvalidMultikey):
        multikey.decode(multibase.base64url(b"\xed\x01" + ED25519.public_bytes_raw()))


@given(st.sampled_from([b"\xed\x01", b"\x80\x24", b"\x81\x24", b"\x85\x24", b""]), st.binary(max_size=60))
def test_any_bytes_are_a_key_or_refused(code: bytes, raw: bytes) -> None:
    text = multibase.base58btc(code + raw)
    try:
        key = multikey.decode(text)
    except InvalidMultikey:
        return
    assert multikey.encode(key) == text


def test_a_curve_without_a_multikey_form_is_refused() -> None:
    with pytest.raises(InvalidMultikey, match="secp521r1"):
        multikey.encode(ec.derive_private_key(7, ec.SECP521R1()).public_key())


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:w3c-ccg.github.io", "https://w3c-ccg.github.io/.well-known/did.json"),
        ("did:web:w3c-ccg.github.io:user:alice", "https://w3c-ccg.github.io/user/alice/did.json"),
        ("did:web:example.com%3A3000", "https://example.com:3000/.well-known/did.json"),
        ("did:web:example.com%3A3000:user:alice", "https://example.com:3000/user/alice/did.json"),
        ("did:web:localhost%3A8443", "https://localhost:8443/.well-known/did.json"),
        ("did:web:example.com:%C3%A9", "https://example.com/%C3%A9/did.json"),
    ],
)
def test_a_did_web_is_a_web_address_and_back(did: str, url: str) -> None:
    assert did_web_document_url(did) == url
    assert did_web(url) == did


@pytest.mark.parametrize(
    ("did", "url"),
    [
        ("did:web:Example.COM", "https://example.com/.well-known/did.json"),
        ("did:web:example.com%3a3000", "https://example.com:3000/.well-known/did.json"),
    ],
)
def test_a_did_web_may_be_written_in_other_letters(did: str, url: str) -> None:
    assert did_web_document_url(did) == url


@pytest.mark.parametrize(
    ("url", "did"),
    [
        ("https://example.org", "did:web:example.org"),
        ("https://example.org/", "did:web:example.org"),
        ("https://example.org:443/a", "did:web:example.org:a"),
        ("https://example.org/v3/issuers/1", "did:web:example.org:v3:issuers:1"),
        ("https://example.org/v3/issuers/1/", "did:web:example.org:v3:issuers:1"),
    ],
)
def test_a_folder_has_a_did_web(url: str, did: str) -> None:
    assert did_web(url) == did


@pytest.mark.parametrize(
    "did",
    [
        "",
        "did:key:z6Mk",
        "did:web:",
        "did:web::a",
        "did:web:example.com:",
        "did:web:example.com::a",
        "did:web:example.com:..:a",
        "did:web:example.com:%2e%2E",
        "did:web:example.com:a%2Fb",
        "did:web:example.com:a%5Cb",
        "did:web:example.com:a%00",
        "did:web:example.com:a/b",
        "did:web:example.com/a",
        "did:web:example.com#key",
        "did:web:example.com:a?b",
        "did:web:example.com%3A",
        "did:web:example.com%3A0",
        "did:web:example.com%3A65536",
        "did:web:example.com%3A80%3A80",
        "did:web:user@example.com",
        "did:web:user%40example.com",
        "did:web:192.0.2.1",
        "did:web:127.1",
        "did:web:2130706433",
        "did:web:0x7f000001",
        "did:web:[%3A%3A1]",
        "did:web:%5B",
        "did:web:example.com.",
        "did:web:-example.com",
        "did:web:exämple.com",
        "did:web:" + "a." * 200 + "org",
        "did:web:example.com:" + "a" * 2048,
    ],
)
def test_a_did_web_that_leads_astray_is_refused(did: str) -> None:
    with pytest.raises(InvalidDid):
        did_web_document_url(did)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.org",
        "https:///a",
        "https://example.org/did.json",
        "https://example.org/a//did.json",
        "https://example.org/a/../b",
        "https://example.org/a%2Fb",
        "https://example.org/a~b",
        "https://example.org?a",
        "https://example.org#a",
        "https://user@example.org",
        "https://127.0.0.1",
        "https://[::1]",
        "https://example.org:99999",
        "https://example.org:x",
        "https://exam\nple.org",
        "https://example.org\\a",
    ],
)
def test_an_address_without_a_did_web_is_refused(url: str) -> None:
    with pytest.raises(InvalidDid):
        did_web(url)


@given(st.text(max_size=40) | st.text("web.%3A/2Fae1#?@[]\\:", max_size=40).map("did:web:a{}".format))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (did_web_document_url, did_web, parse_did_key):
        with suppress(LapelError):
            read(text)
