"""Parsing and verifying signed JSON objects as compact tokens (RFC 7515; RFC 7519, 7.2).

Signatures are computed with `cryptography`, not with a JOSE library: the private key may be outside this process,
where only bytes can be signed, and a verifier needs the parts of a token, its own list of keys and each mismatch. The
little of JOSE that remains is checked against an independent JOSE library in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from lapel.credentials import keys
from lapel.credentials.jose import base64url
from lapel.credentials.keys import PublicKey, SignatureInvalid
from lapel.credentials.strict_json import UnreadableJson, read_object
from lapel.domain.credential import JwtAlgorithm
from lapel.domain.json import JsonObject
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import InvalidInput, TooLarge, Unsupported

__all__ = ["ALG_OF", "KEY_OF", "InvalidJwt", "Jws", "SignedToken", "UnsupportedJwt", "decode", "verify_signature"]

_MAX_HEADER_CHARACTERS: Final = 16 * 1024

KEY_OF: Final[Mapping[str, KeyAlgorithm]] = {
    JwtAlgorithm.EDDSA: KeyAlgorithm.ED25519,
    JwtAlgorithm.ES256: KeyAlgorithm.P256,
    JwtAlgorithm.RS256: KeyAlgorithm.RSA,
}
"""The key algorithm of each ``alg``."""

ALG_OF: Final[Mapping[KeyAlgorithm, str]] = {algorithm: alg for alg, algorithm in KEY_OF.items()}
"""The ``alg`` with which each kind of key signs."""

_ACCEPTED: Final = {**KEY_OF, "Ed25519": KeyAlgorithm.ED25519}  # RFC 9864's name of EdDSA with that curve


class InvalidJwt(InvalidInput):
    """This is not a VC-JWT that can be read."""

    code = "invalid_jwt"


class UnsupportedJwt(Unsupported):
    """This token is secured in a way that is not supported here."""

    code = "unsupported_jwt"
    hint = "EdDSA, ES256 and RS256 are understood."


class SignedToken(Protocol):
    """The parts of a token that are needed to verify its signature."""

    @property
    def header(self) -> JsonObject: ...
    @property
    def algorithm(self) -> KeyAlgorithm: ...
    @property
    def signing_input(self) -> bytes: ...
    @property
    def signature(self) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Jws:
    """A parsed token, not verified.

    Attributes:
        header: the complete JOSE header.
        claims: the complete payload.
        signing_input: the signed bytes.
    """

    header: JsonObject
    claims: JsonObject
    algorithm: KeyAlgorithm
    signing_input: bytes
    signature: bytes


def decode(compact: str, *, max_characters: int) -> Jws:
    """Parse a token, without verifying it.

    Raises:
        TooLarge: longer than `max_characters`.
        InvalidJwt: not three parts of strict base64url with JSON objects, or an object with a repeated member.
        UnsupportedJwt: an algorithm that is not accepted (``none`` and HMAC never are), or a critical header
            parameter.
    """
    if len(compact) > max_characters:
        raise TooLarge(f"A token may have at most {max_characters:,} characters.")
    parts = compact.split(".")
    if len(parts) != 3:
        raise InvalidJwt("A compact token has three parts with points between them.")
    if len(parts[0]) > _MAX_HEADER_CHARACTERS:
        raise TooLarge("The header of this token is too long.")
    header, claims = _decode_part(parts[0], "header"), _decode_part(parts[1], "payload")
    return Jws(
        header=header,
        claims=claims,
        algorithm=_algorithm(header),
        signing_input=f"{parts[0]}.{parts[1]}".encode("ascii"),
        signature=_decode_base64url(parts[2], "signature"),
    )


def verify_signature(token: SignedToken, public_key: PublicKey) -> None:
    """Verify the signature with a key that the caller trusts. The key determines the algorithm; `alg` must agree.

    Raises:
        SignatureInvalid: it does not match, or the key is for another algorithm than the header says.
    """
    try:
        algorithm = keys.algorithm_of(public_key)
    except keys.UnsupportedKey as error:
        raise SignatureInvalid("The key is of a kind that this token cannot be signed with.") from error
    if algorithm is not token.algorithm:
        raise SignatureInvalid(f"The token says {token.header['alg']}, but the key is for {ALG_OF[algorithm]}.")
    keys.verify(public_key, signature=token.signature, data=token.signing_input)


def _algorithm(header: JsonObject) -> KeyAlgorithm:
    if "crit" in header:  # RFC 7515, 4.1.11; other unknown parameters are ignored (4)
        raise UnsupportedJwt("This token has a critical header parameter that is not understood here.")
    if header.get("b64", True) is not True:  # RFC 7797, 7: not allowed in a JWT, even if not listed as critical
        raise UnsupportedJwt("The payload of this token is not encoded, which a token's must be.")
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in _ACCEPTED:
        raise UnsupportedJwt("This token is signed with an algorithm that is not accepted here.")
    return _ACCEPTED[alg]


def _decode_base64url(text: str, what: str) -> bytes:
    try:
        return base64url.decode(text)
    except base64url.InvalidBase64Url as error:
        raise InvalidJwt(f"The {what} of this token is not base64url.") from error


def _decode_part(text: str, what: str) -> JsonObject:
    data = _decode_base64url(text, what)
    try:
        return read_object(data)
    except UnreadableJson as error:
        raise InvalidJwt(f"The {what} of this token cannot be read: {error.detail}") from error
