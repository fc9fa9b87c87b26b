"""The public key in an Open Badges 2.0 CryptographicKey: PEM, as ``publicKeyPem`` holds it (RFC 7468, section 13)."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from lapel.credentials.keys import InvalidKey, PublicKey, load_public

__all__ = ["from_pem", "to_pem"]

_MAX_LENGTH: Final = 16 * 1024
_BEGIN: Final = ("-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----")


def from_pem(text: str) -> PublicKey:
    """Parse a public key in PEM: SubjectPublicKeyInfo, or for RSA also PKCS #1.

    Raises:
        InvalidKey: not a public key, or an RSA key with an unacceptable exponent.
        UnsupportedKey: a type or size of key that is not allowed.
    """
    if len(text) > _MAX_LENGTH or not text.lstrip().startswith(_BEGIN):
        raise InvalidKey("This is not a public key in PEM.", hint="It begins with -----BEGIN PUBLIC KEY-----.")
    try:
        key = serialization.load_pem_public_key(text.encode("ascii"))
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidKey("This is not a public key in PEM.") from error
    return load_public(der)


def to_pem(public_key: bytes) -> str:
    """Convert a public key from SubjectPublicKeyInfo DER to PEM.

    Raises:
        InvalidKey, UnsupportedKey: as `load_public`.
    """
    key = load_public(public_key)
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode("ascii")
