"""The public key in an Open Badges 2.0 CryptographicKey: PEM, as ``publicKeyPem`` holds it (RFC 7468, section 13)."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from lapel.credentials.keys import InvalidKey, PublicKey, load_public

__all__ = ["from_pem", "to_pem"]

_MOST_CHARACTERS: Final = 16 * 1024
_BEGIN: Final = ("-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----")


def from_pem(text: str) -> PublicKey:
    """The key in a PEM text, in either of the two forms in which RSA keys are published.

    Raises:
        InvalidKey: no public key, or an RSA key of an unacceptable size.
        UnsupportedKey: a kind that is not on the list.
    """
    if len(text) > _MOST_CHARACTERS or not text.lstrip().startswith(_BEGIN):
        raise InvalidKey("This is not a public key in PEM.", hint="It begins with -----BEGIN PUBLIC KEY-----.")
    try:
        key = serialization.load_pem_public_key(text.encode("ascii"))
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidKey("This is not a public key in PEM.") from error
    return load_public(der)


def to_pem(public_key: bytes) -> str:
    """The PEM text of a public key given as SubjectPublicKeyInfo DER.

    Raises:
        InvalidKey, UnsupportedKey: as `load_public`.
    """
    key = load_public(public_key)
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode("ascii")
