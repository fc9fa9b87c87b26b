"""Ed25519 as libsodium checks it: what OpenSSL signs fits, and nothing that it would refuse."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lapel.credentials.ed25519 import is_valid

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize("size", [0, 1, 64, 100_000])
def test_what_the_key_signed_fits(size: int) -> None:
    data = bytes(size)
    assert is_valid(KEY.sign(data), data, KEY.public_key())


def test_one_bit_anywhere_and_it_does_not() -> None:
    data = b"signed"
    signature = KEY.sign(data)
    for bit in range(512):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        assert not is_valid(bytes(changed), data, KEY.public_key())
    assert not is_valid(signature, b"Signed", KEY.public_key())
    assert not is_valid(signature, data, Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_what_has_not_the_size_of_a_signature_does_not_fit(size: int) -> None:
    assert not is_valid(bytes(size), b"", KEY.public_key())
    assert not is_valid((KEY.sign(b"x") * 2)[:size], b"x", KEY.public_key())


def test_a_second_spelling_of_a_signature_does_not_fit() -> None:
    """S + the group's order is the same number to a lax reader (RFC 8032, 5.1.7)."""
    signature = KEY.sign(b"x")
    other = int.from_bytes(signature[32:], "little") + ORDER
    assert not is_valid(signature[:32] + other.to_bytes(32, "little"), b"x", KEY.public_key())


def test_a_key_under_which_anything_fits_is_refused() -> None:
    point = bytes([1]) + bytes(31)  # the neutral element: R = it and S = 0 solve the equation for every text
    key = Ed25519PublicKey.from_public_bytes(point)
    key.verify(point + bytes(32), b"anything")  # and a laxer library is content
    assert not is_valid(point + bytes(32), b"anything", key)
