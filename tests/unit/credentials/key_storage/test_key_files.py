"""Keys in files: what is written is read, by others too, and nothing else is taken for a key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey

from lapel.credentials import keys
from lapel.credentials.key_storage import key_files
from lapel.credentials.key_storage.key_files import WeakPassphrase, WrongPassphrase, private_jwk, private_pem, read_key
from lapel.credentials.keys import InvalidKey, UnsupportedKey
from lapel.domain.signing_key import KeyAlgorithm

PAIRS = {algorithm: keys.generate(algorithm) for algorithm in KeyAlgorithm}
PASSPHRASE = b"correct horse battery"


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
@pytest.mark.parametrize("form", ["pem", "encrypted", "jwk"])
def test_what_is_written_is_read(algorithm: KeyAlgorithm, form: str) -> None:
    pair = PAIRS[algorithm]
    if form == "jwk":
        data = json.dumps(private_jwk(pair.private_key)).encode()
    else:
        data = private_pem(pair.private_key, passphrase=PASSPHRASE if form == "encrypted" else None)

    found = read_key(data, passphrase=PASSPHRASE)

    assert (found.public_key, found.private_key) == (pair.public_key, pair.private_key)
    assert data.startswith(key_files.ENCRYPTED) is (form == "encrypted")
    assert "private_key" not in repr(found)


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_others_read_what_is_written(algorithm: KeyAlgorithm) -> None:
    pair = PAIRS[algorithm]
    theirs: Any = {KeyAlgorithm.ED25519: OKPKey, KeyAlgorithm.P256: ECKey, KeyAlgorithm.RSA: RSAKey}[algorithm]
    for written in (private_pem(pair.private_key, passphrase=None), dict(private_jwk(pair.private_key))):
        key = theirs.import_key(written)
        assert key.is_private
        assert read_key(key.as_pem(private=False)).public_key == pair.public_key
        assert read_key(key.as_pem(private=True)).private_key == pair.private_key


@pytest.mark.parametrize("passphrase", [None, b"", b"another passphrase"])
def test_the_wrong_passphrase_opens_nothing(passphrase: bytes | None) -> None:
    pem = private_pem(PAIRS[KeyAlgorithm.ED25519].private_key, passphrase=PASSPHRASE)
    with pytest.raises(WrongPassphrase):
        read_key(pem, passphrase=passphrase)


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(WeakPassphrase):
        private_pem(PAIRS[KeyAlgorithm.ED25519].private_key, passphrase=b"hunter2")


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_a_public_key_is_read_from_a_jwk(algorithm: KeyAlgorithm) -> None:
    public = PAIRS[algorithm].public_key
    found = read_key(json.dumps(keys.jwk(public)).encode())
    assert (found.public_key, found.private_key) == (public, None)


def test_a_private_jwk_says_that_it_signs() -> None:
    """RFC 7517, 4.3."""
    pair = PAIRS[KeyAlgorithm.P256]
    jwk = {**private_jwk(pair.private_key), "use": "sig", "alg": "ES256"}
    assert read_key(json.dumps({**jwk, "key_ops": ["sign"]}).encode()).private_key == pair.private_key
    with pytest.raises(InvalidKey):
        read_key(json.dumps({**jwk, "key_ops": ["deriveKey"]}).encode())


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_halves_that_do_not_belong_together_are_refused(algorithm: KeyAlgorithm) -> None:
    jwk = dict(private_jwk(PAIRS[algorithm].private_key))
    other = private_jwk(keys.generate(algorithm).private_key)
    with pytest.raises(InvalidKey):
        read_key(json.dumps({**jwk, "d": other["d"]}).encode())


ANOTHER_KIND = x25519.X25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", InvalidKey),
        (b"{", InvalidKey),
        (b"{}", UnsupportedKey),
        (b'{"kty":"OKP","crv":"Ed25519","x":"AA","d":7}', InvalidKey),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", InvalidKey),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", InvalidKey),
        (ANOTHER_KIND.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), UnsupportedKey),
        (ANOTHER_KIND.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), UnsupportedKey),
        (b"x" * 70_000, InvalidKey),
    ],
)
def test_what_is_no_key_of_ours_is_refused(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_key(data)
