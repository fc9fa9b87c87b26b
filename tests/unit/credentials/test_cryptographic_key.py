"""Public keys in PEM: read in both of their forms, and nothing else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lapel.credentials.cryptographic_key import from_pem, to_pem
from lapel.credentials.keys import InvalidKey, UnsupportedKey, public_der
from lapel.errors import LapelError

PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize("private", [RSA, ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()])
def test_each_kind_of_key_that_signs_is_read_and_written(
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey,
) -> None:
    public = private.public_key()

    text = public.public_bytes(PEM, SPKI).decode()

    assert public_der(from_pem(text)) == public.public_bytes(serialization.Encoding.DER, SPKI)
    assert to_pem(public_der(public)) == text


def test_the_older_form_of_an_rsa_key_is_read() -> None:
    older = RSA.public_key().public_bytes(PEM, serialization.PublicFormat.PKCS1).decode()

    assert older.startswith("-----BEGIN RSA PUBLIC KEY-----")
    assert public_der(from_pem(older)) == RSA.public_key().public_bytes(serialization.Encoding.DER, SPKI)


WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()  # noqa: S505 - to see it refused
OTHER = ec.generate_private_key(ec.SECP521R1()).public_key()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n\u00e9\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PUBLIC KEY-----" + "A" * 20_000,
        RSA.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        from_pem(text)


def test_a_weak_key_and_one_of_another_curve_are_refused() -> None:
    for key in (WEAK, OTHER):
        with pytest.raises(LapelError) as caught:
            from_pem(key.public_bytes(PEM, SPKI).decode())
        assert isinstance(caught.value, InvalidKey | UnsupportedKey)
