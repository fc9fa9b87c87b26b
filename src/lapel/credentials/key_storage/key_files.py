"""Key files: PEM (RFC 7468; PKCS #8, also encrypted; SubjectPublicKeyInfo) and JSON Web Keys (RFC 7517)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    load_pem_public_key,
)

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from lapel.credentials.keys import InvalidKey, LocalSigner, UnsupportedKey
from lapel.credentials.strict_json import read_object
from lapel.domain.json import JsonObject
from lapel.errors import LapelError

__all__ = ["ENCRYPTED", "KeyFile", "WeakPassphrase", "WrongPassphrase", "private_jwk", "private_pem", "read_key"]

MIN_PASSPHRASE_LENGTH: Final = 12
ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
"""The beginning of a file that needs a passphrase."""

_MAX_BYTES: Final = 64 * 1024
_RSA_PRIMES: Final = ("p", "q", "dp", "dq", "qi")


class WrongPassphrase(InvalidKey):
    """The key is encrypted, and this passphrase does not open it."""

    code = "wrong_passphrase"


class WeakPassphrase(InvalidKey):
    """The passphrase is too short to keep a key secret."""

    code = "weak_passphrase"
    hint = f"Give at least {MIN_PASSPHRASE_LENGTH} characters."


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """The contents of a key file.

    Attributes:
        public_key: SubjectPublicKeyInfo, DER.
        private_key: PKCS #8, DER, not encrypted; None if the file contains only a public key.
    """

    public_key: bytes
    private_key: bytes | None = field(repr=False)


def read_key(data: bytes, *, passphrase: bytes | None = None) -> KeyFile:
    """Parse a PEM or JWK file with a private or a public key.

    Args:
        passphrase: for an encrypted PEM file; ignored otherwise.

    Raises:
        WrongPassphrase: the file is encrypted, and the passphrase is missing or wrong.
        InvalidKey, UnsupportedKey: it contains no key, or none of a type with which Lapel signs.
    """
    if len(data) > _MAX_BYTES:
        raise InvalidKey("The file is too large for a key.")
    if data.lstrip()[:1] == b"{":
        return _read_jwk(data)
    try:
        if b"PRIVATE KEY-----" not in data:
            return _from_public(_public_der(data))
        key = load_pem_private_key(data, passphrase if b"ENCRYPTED" in data else None)
    except UnsupportedAlgorithm as error:
        raise UnsupportedKey from error
    except (TypeError, ValueError) as error:
        if b"ENCRYPTED" in data:
            raise WrongPassphrase from error
        raise InvalidKey("This is no PEM file with a key.") from error
    return _from_private(key)


def private_pem(private_key: bytes, *, passphrase: bytes | None) -> bytes:
    """Convert a private key from PKCS #8 DER to PEM, encrypted under a passphrase, or unencrypted if that is None.

    Raises:
        WeakPassphrase: it has fewer than 12 bytes.
    """
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE_LENGTH:
        raise WeakPassphrase
    encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    return load_der_private_key(private_key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def private_jwk(private_key: bytes) -> JsonObject:
    """Convert a private key from PKCS #8 DER to an unencrypted JWK."""
    key = load_der_private_key(private_key, None)
    members = dict(keys.jwk(LocalSigner(private_key).public_key))
    match key:
        case Ed25519PrivateKey():
            members["d"] = base64url.encode(key.private_bytes_raw())
        case ec.EllipticCurvePrivateKey():
            size = (key.key_size + 7) // 8
            members["d"] = base64url.encode(key.private_numbers().private_value.to_bytes(size, "big"))
        case rsa.RSAPrivateKey():
            numbers = key.private_numbers()
            private = (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
            for name, number in zip(("d", *_RSA_PRIMES), private, strict=True):
                members[name] = base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
    return members


def _public_der(data: bytes) -> bytes:
    key = load_pem_public_key(data)
    if not isinstance(key, keys.PublicKey):
        raise UnsupportedKey
    return keys.public_der(key)


def _read_jwk(data: bytes) -> KeyFile:
    try:
        jwk = read_object(data)
    except LapelError as error:
        raise InvalidKey(f"This JWK cannot be read: {error.detail}") from error
    public = keys.from_jwk(
        {name: value for name, value in jwk.items() if name not in ("d", *_RSA_PRIMES)},
        operation="sign" if "d" in jwk else "verify",
    )
    if "d" not in jwk:
        return _from_public(keys.public_der(public))
    try:
        d = keys.octets_of(jwk, "d")
        match public:
            case ec.EllipticCurvePublicKey():
                key = _from_private(
                    ec.EllipticCurvePrivateNumbers(int.from_bytes(d, "big"), public.public_numbers()).private_key()
                )
            case rsa.RSAPublicKey():
                p, q, dp, dq, qi = (int.from_bytes(keys.octets_of(jwk, name), "big") for name in _RSA_PRIMES)
                numbers = rsa.RSAPrivateNumbers(p, q, int.from_bytes(d, "big"), dp, dq, qi, public.public_numbers())
                key = _from_private(numbers.private_key())
            case _:
                key = _from_private(Ed25519PrivateKey.from_private_bytes(d))
    except ValueError as error:
        raise InvalidKey("This JWK does not hold a valid private key.") from error
    if key.public_key != keys.public_der(public):
        raise InvalidKey("The private and the public half of this JWK do not belong together.")
    return key


def _from_public(der: bytes) -> KeyFile:
    keys.algorithm_of(keys.load_public(der))
    return KeyFile(public_key=der, private_key=None)


def _from_private(key: object) -> KeyFile:
    if not isinstance(key, keys.PrivateKey):
        raise UnsupportedKey
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return KeyFile(public_key=LocalSigner(private).public_key, private_key=private)
