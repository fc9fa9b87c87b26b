"""Keys: generation, signing and verifying, and the published forms of public keys.

Sources: Controlled Identifiers 1.0 (Multikey, 2.2.2), RFC 7517 (JWK), RFC 7518 (EC and RSA keys and
signatures), RFC 8037 (Ed25519 in JOSE), RFC 7638 (thumbprints). Private keys are PKCS #8 DER, public keys
SubjectPublicKeyInfo DER. Foreign keys must be of an allowed type and size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lapel.credentials import ed25519
from lapel.credentials import multikey as multikey_form
from lapel.credentials.jose import base64url
from lapel.credentials.multikey import PublicKey
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import InvalidInput, LapelError, Unsupported

__all__ = [
    "InvalidKey",
    "KeyPair",
    "LocalSigner",
    "PrivateKey",
    "PublicKey",
    "SignatureInvalid",
    "UnsupportedKey",
    "algorithm_of",
    "from_jwk",
    "from_multikey",
    "generate",
    "jwk",
    "jwk_thumbprint",
    "load_public",
    "multikey",
    "octets_of",
    "public_der",
    "verify",
]

PrivateKey: TypeAlias = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

RSA_BITS: Final = 3072
"""The size of new RSA keys: 128 bits of security (NIST SP 800-57), since badges must be verifiable for decades."""

_ALLOWED_RSA_BITS: Final = range(2048, 8192 + 1)
_MAX_RSA_EXPONENT: Final = 2**32  # a huge exponent makes each verification slow
_CURVES: Final[dict[str, ec.EllipticCurve]] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
_CURVE_NAMES: Final = {curve.name: name for name, curve in _CURVES.items()}
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_THUMBPRINT_MEMBERS: Final = {
    "OKP": ("crv", "kty", "x"),
    "EC": ("crv", "kty", "x", "y"),
    "RSA": ("e", "kty", "n"),
}
_MAX_MEMBER_LENGTH: Final = 2048


class InvalidKey(InvalidInput):
    """This is not a usable key."""

    code = "invalid_key"


class UnsupportedKey(Unsupported):
    """Keys of this kind are not supported here."""

    code = "unsupported_key"
    hint = "Use Ed25519, P-256, or RSA of 2048 to 8192 bits."


class SignatureInvalid(LapelError):
    """The signature does not fit the content and the key."""

    code = "signature_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A new key pair.

    Attributes:
        public_key: SubjectPublicKeyInfo, DER.
        private_key: PKCS #8, DER, not encrypted: encrypt it with `MasterKey.wrap` before storing it.
    """

    algorithm: KeyAlgorithm
    public_key: bytes
    private_key: bytes = field(repr=False)


def generate(algorithm: KeyAlgorithm) -> KeyPair:
    """Generate a key pair from the operating system's random source. RSA takes up to a second."""
    key: PrivateKey
    match algorithm:
        case KeyAlgorithm.ED25519:
            key = Ed25519PrivateKey.generate()
        case KeyAlgorithm.P256:
            key = ec.generate_private_key(ec.SECP256R1())
        case KeyAlgorithm.RSA:
            key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(algorithm=algorithm, public_key=public_der(key.public_key()), private_key=private)


def public_der(key: PublicKey) -> bytes:
    """Encode the key as SubjectPublicKeyInfo, DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_public(der: bytes) -> PublicKey:
    """Load a key from a SubjectPublicKeyInfo structure.

    Raises:
        InvalidKey: no such structure, or an RSA key with an unacceptable exponent.
        UnsupportedKey: a type or size of key that is not allowed.
    """
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidKey("This is not a public key in DER (SubjectPublicKeyInfo).") from error
    return _check_allowed(key)


def algorithm_of(key: PublicKey) -> KeyAlgorithm:
    """Return the key's algorithm, among those with which Lapel signs.

    Raises:
        UnsupportedKey: P-384, which is only for verifying.
    """
    match key:
        case Ed25519PublicKey():
            return KeyAlgorithm.ED25519
        case rsa.RSAPublicKey():
            return KeyAlgorithm.RSA
        case ec.EllipticCurvePublicKey() if _curve_name(key) == "P-256":
            return KeyAlgorithm.P256
    raise UnsupportedKey("P-384 keys are only verified with.")


# --- Multikey ---


def multikey(public_key: bytes) -> str:
    """Convert a public key from SubjectPublicKeyInfo DER to `publicKeyMultibase`: ``z…``.

    Raises:
        InvalidKey: not a public key.
        UnsupportedKey: RSA, for which Controlled Identifiers 1.0 defines no Multikey.
    """
    key = load_public(public_key)
    if isinstance(key, rsa.RSAPublicKey):
        raise UnsupportedKey("RSA keys have no Multikey form.", hint="Publish an RSA key as a JWK.")
    return multikey_form.encode(key)


def from_multikey(text: str) -> PublicKey:
    """Load the key in a `publicKeyMultibase`.

    Raises:
        InvalidMultikey: it does not encode a key of a known type.
        InvalidKey, UnsupportedKey: as `load_public`.
    """
    return _check_allowed(multikey_form.decode(text))


# --- JSON Web Key ---


def jwk(public_key: bytes, *, kid: str | None = None) -> JsonObject:
    """Convert a public key from SubjectPublicKeyInfo DER to a JWK, with the required members and `kid`.

    Raises:
        InvalidKey, UnsupportedKey: as `load_public`.
    """
    key = load_public(public_key)
    members: dict[str, str] = {}
    match key:
        case Ed25519PublicKey():
            members = {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes_raw())}
        case ec.EllipticCurvePublicKey():
            name, numbers = _curve_name(key), key.public_numbers()
            x, y = (base64url.encode(n.to_bytes(_size(name), "big")) for n in (numbers.x, numbers.y))
            members = {"kty": "EC", "crv": name, "x": x, "y": y}
        case rsa.RSAPublicKey():
            n, e = key.public_numbers().n, key.public_numbers().e
            members = {"kty": "RSA", "n": _encode_integer(n), "e": _encode_integer(e)}
    if kid is not None:
        members["kid"] = kid
    return members


def from_jwk(jwk: JsonObject, *, operation: str = "verify") -> PublicKey:
    """Load the public key in a JWK: OKP Ed25519, EC P-256 or P-384, RSA of 2048 to 8192 bits.

    Args:
        operation: must be included in ``key_ops``, if the JWK has that (RFC 7517, 4.3).

    Raises:
        InvalidKey: a member is missing or wrong, the key is private, or it is for another use.
        UnsupportedKey: another type or size of key.
    """
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise InvalidKey("This JWK holds a private or a secret key.", hint="Publish only the public members.")
    if jwk.get("use", "sig") != "sig":
        raise InvalidKey("This JWK is not meant for signatures (its `use` is not `sig`).")
    operations = jwk.get("key_ops", [operation])
    if not isinstance(operations, list) or operation not in operations:
        raise InvalidKey(f"This JWK is not meant to {operation} with (its `key_ops`).")
    key = _load_jwk(jwk)
    if "alg" in jwk and jwk["alg"] not in _algs_of(key):
        raise InvalidKey("This JWK is meant for another algorithm than it is used with here (its `alg`).")
    return key


def _algs_of(key: PublicKey) -> Sequence[str]:
    """Return the algorithms for which `verify` uses the key, by the names of RFC 7518, RFC 8037 and RFC 9864."""
    match key:
        case Ed25519PublicKey():
            return ("EdDSA", "Ed25519")
        case ec.EllipticCurvePublicKey():
            return ("ES256",) if _curve_name(key) == "P-256" else ("ES384",)
    return ("RS256",)


def _load_jwk(jwk: JsonObject) -> PublicKey:
    try:
        match jwk.get("kty"), jwk.get("crv"):
            case "OKP", "Ed25519":
                return Ed25519PublicKey.from_public_bytes(octets_of(jwk, "x"))
            case "EC", ("P-256" | "P-384") as name:
                x, y = octets_of(jwk, "x"), octets_of(jwk, "y")
                if not len(x) == len(y) == _size(name):  # RFC 7518, 6.2.1.2: with leading zeros
                    raise InvalidKey(f"A coordinate of {name} has {_size(name)} octets.")
                return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[name], b"\x04" + x + y)
            case "RSA", _:
                n, e = (int.from_bytes(octets_of(jwk, member), "big") for member in ("n", "e"))
                if n.bit_length() not in _ALLOWED_RSA_BITS:
                    raise UnsupportedKey("RSA keys must have 2048 to 8192 bits.")
                return _check_allowed(rsa.RSAPublicNumbers(e, n).public_key())
    except ValueError as error:
        raise InvalidKey("This JWK does not hold a valid public key.") from error
    raise UnsupportedKey


def octets_of(jwk: JsonObject, member: str) -> bytes:
    """Return the octets that a member of a JWK has in base64url (RFC 7518, 2). Raises InvalidKey."""
    value = jwk.get(member)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_MEMBER_LENGTH:
        raise InvalidKey(f"This JWK needs `{member}`, a base64url text of reasonable length.")
    try:
        return base64url.decode(value)
    except base64url.InvalidBase64Url as error:
        raise InvalidKey(f"`{member}` of this JWK is not base64url.") from error


def jwk_thumbprint(jwk: JsonObject) -> str:
    """Return the key's SHA-256 thumbprint (RFC 7638), base64url.

    Raises:
        InvalidKey, UnsupportedKey: as `from_jwk`.
    """
    from_jwk(jwk)
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[str(jwk["kty"])]}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64url.encode(hashlib.sha256(canonical).digest())


# --- signatures ---


class LocalSigner:
    """Signs with a private key that this process holds.

    Example:
        >>> pair = generate(KeyAlgorithm.ED25519)
        >>> len(LocalSigner(pair.private_key).sign(b"data"))
        64
    """

    __slots__ = ("_key", "algorithm", "public_key")

    def __init__(self, private_key: bytes, *, checked: bool = False) -> None:
        """Load the key. Checking an RSA key takes a tenth of a second, and loading one that is checked nothing.

        Args:
            private_key: PKCS #8, DER, not encrypted.
            checked: whether it is known to be sound, because it was checked or generated before it was stored.

        Raises:
            InvalidKey, UnsupportedKey: it is not a private key of a supported type.
        """
        try:
            key = serialization.load_der_private_key(private_key, password=None, unsafe_skip_rsa_key_validation=checked)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InvalidKey("This is not a private key in DER (PKCS #8).") from error
        if not isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise UnsupportedKey
        public = _check_allowed(key.public_key())
        self.algorithm: KeyAlgorithm = algorithm_of(public)
        self.public_key: bytes = public_der(public)
        self._key: PrivateKey = key

    def __repr__(self) -> str:
        return f"LocalSigner({self.algorithm})"

    def sign(self, data: bytes) -> bytes:
        """Return a signature as in JOSE: 64 bytes for EdDSA and ES256 (r‖s), PKCS #1 v1.5 with SHA-256 for RS256."""
        match self._key:
            case Ed25519PrivateKey() as key:
                return key.sign(data)
            case rsa.RSAPrivateKey() as key:
                return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            case ec.EllipticCurvePrivateKey() as key:
                r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(key: PublicKey, *, signature: bytes, data: bytes) -> None:
    """Verify a signature in the form that `LocalSigner.sign` returns; with a P-384 key, ES384.

    Raises:
        SignatureInvalid: it does not match.
    """
    try:
        match key:
            case Ed25519PublicKey():
                if not ed25519.is_valid(signature, data, key):
                    raise SignatureInvalid
            case rsa.RSAPublicKey():
                key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            case ec.EllipticCurvePublicKey():
                name = _curve_name(key)
                size = _size(name)
                if len(signature) != 2 * size:
                    raise SignatureInvalid(f"A {name} signature has {2 * size} bytes, not {len(signature)}.")
                r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
                hash_ = hashes.SHA256() if name == "P-256" else hashes.SHA384()
                key.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(hash_))
    except (InvalidSignature, ValueError) as error:
        raise SignatureInvalid from error


# --- the allow-list ---


def _check_allowed(key: object) -> PublicKey:
    match key:
        case Ed25519PublicKey():
            return key
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVE_NAMES:
            return key
        case rsa.RSAPublicKey():
            if key.key_size not in _ALLOWED_RSA_BITS:
                raise UnsupportedKey("RSA keys must have 2048 to 8192 bits.")
            if not 3 <= key.public_numbers().e < _MAX_RSA_EXPONENT:
                raise InvalidKey("The exponent of this RSA key is out of range.")
            return key
    raise UnsupportedKey


def _curve_name(key: ec.EllipticCurvePublicKey) -> str:
    return _CURVE_NAMES[key.curve.name]


def _size(curve: str) -> int:
    return (_CURVES[curve].key_size + 7) // 8


def _encode_integer(number: int) -> str:
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
