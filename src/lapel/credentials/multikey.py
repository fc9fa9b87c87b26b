"""Multikey: a public key encoded as a short text (Controlled Identifiers 1.0, section 2.2.2)."""

from __future__ import annotations

from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from lapel.credentials import multibase
from lapel.errors import InvalidInput

__all__ = ["InvalidMultikey", "PublicKey", "decode", "encode"]

PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

RSA_BITS: Final = range(2048, 4096 + 1)

# Multicodec codes as unsigned varints; for elliptic curves also the length of a compressed point.
_ED25519: Final = b"\xed\x01"
_RSA: Final = b"\x85\x24"
_CURVES: Final = {b"\x80\x24": (SECP256R1(), 33), b"\x81\x24": (SECP384R1(), 49)}


class InvalidMultikey(InvalidInput):
    """This is not a public key in Multikey form."""

    code = "invalid_multikey"
    hint = "Ed25519, P-256, P-384 and RSA (2048 to 4096 bits) keys are understood."


def encode(key: PublicKey) -> str:
    """Return the ``publicKeyMultibase`` of a key: ``z6Mk…`` for Ed25519, ``zDn…`` for P-256.

    Raises:
        InvalidMultikey: a curve other than P-256 and P-384.
    """
    if isinstance(key, Ed25519PublicKey):
        return multibase.base58btc(_ED25519 + key.public_bytes_raw())
    if isinstance(key, RSAPublicKey):
        return multibase.base58btc(_RSA + key.public_bytes(Encoding.DER, PublicFormat.PKCS1))
    for code, (curve, _) in _CURVES.items():
        if key.curve.name == curve.name:
            return multibase.base58btc(code + key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    raise InvalidMultikey(f"keys on the curve {key.curve.name} have no form here")


def decode(text: str) -> PublicKey:
    """Decode a ``publicKeyMultibase``, which must be in base58btc.

    Raises:
        InvalidMultikey: not multibase in that base, another type of key, or not a key at all.
    """
    if not text.startswith("z"):
        raise InvalidMultikey("a Multikey begins with z")
    try:
        data = multibase.decode(text)
    except multibase.InvalidMultibase as error:
        raise InvalidMultikey(error.detail) from error
    code, raw = data[:2], data[2:]
    try:
        if code == _ED25519 and len(raw) == 32:
            return Ed25519PublicKey.from_public_bytes(raw)
        if code in _CURVES:
            curve, length = _CURVES[code]
            if len(raw) == length:
                return EllipticCurvePublicKey.from_encoded_point(curve, raw)
        if code == _RSA:
            return _rsa(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidMultikey from error
    raise InvalidMultikey


def _rsa(der: bytes) -> RSAPublicKey:
    key = load_der_public_key(der)
    # The loader accepts other encodings too, but a key must have only one Multikey.
    if not isinstance(key, RSAPublicKey) or key.public_bytes(Encoding.DER, PublicFormat.PKCS1) != der:
        raise InvalidMultikey("an RSA key must be a DER RSAPublicKey (PKCS #1)")
    if key.key_size not in RSA_BITS:
        raise InvalidMultikey(f"an RSA key of {key.key_size} bits")
    return key
