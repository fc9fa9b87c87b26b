"""VC-JWT: a credential as a signed JSON Web Token (Open Badges 3.0, section 8.2).

In tokens written here, the claims are the credential's members together with `iss`, `sub`, `jti`, `nbf` and `exp`.
Two other forms are only read: the `vc` claim of Verifiable Credentials 1.1 (6.3.1), and VC-JOSE-COSE (`typ` of
``vc+jwt``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lapel.credentials import keys
from lapel.credentials.date_time import parse_timestamp
from lapel.credentials.jose import base64url, jws
from lapel.credentials.jose.jws import ALG_OF, KEY_OF, InvalidJwt, UnsupportedJwt, verify_signature
from lapel.credentials.jose.vc_jwt_claims import (
    REGISTERED,
    ClaimMismatch,
    Profile,
    check,
    check_presentation,
    complete,
    read_numeric_date,
)
from lapel.credentials.keys import SignatureInvalid
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import InvalidInput

__all__ = [
    "ALG_OF",
    "KEY_OF",
    "ClaimMismatch",
    "InvalidJwt",
    "Profile",
    "SignatureInvalid",
    "UnencodableCredential",
    "UnsupportedJwt",
    "VcJwt",
    "assemble",
    "check_claims",
    "check_presentation_claims",
    "decode",
    "encode",
    "looks_like_jwt",
    "signing_input",
    "verify_signature",
]

MAX_CHARACTERS: Final = 2 * 1024 * 1024
"""The maximum length of a compact token, whose claims may contain images as ``data:`` URLs."""

_PLAIN_TYPES: Final = frozenset({"jwt"})
_ANY_TYPES: Final = frozenset({"jose", "jws"})  # RFC 7515, 4.1.9: possible for signed badges of Open Badges 2.0
_JOSE_COSE_TYPES: Final = frozenset({"vc+jwt", "vc-ld+jwt"})  # the second is the name in its drafts

_PRESENTATION_TYPES: Final = frozenset({"vp+jwt", "vp-ld+jwt"})


class UnencodableCredential(InvalidInput):
    """This credential cannot be written as a VC-JWT."""

    code = "unencodable_credential"


@dataclass(frozen=True, slots=True, kw_only=True)
class VcJwt:
    """A parsed token, not verified.

    Attributes:
        header: the complete JOSE header.
        claims: the complete payload.
        credential: the payload without the registered claims, and completed from them depending on `profile`.
        kid: the URL of the public key; None if there is only `jwk`.
        jwk: the public key in the token, which is not trustworthy: whoever created the token chose it.
        not_before, expires: `nbf` and `exp`.
        signing_input: the signed bytes.
    """

    header: JsonObject
    claims: JsonObject
    credential: JsonObject
    profile: Profile
    algorithm: KeyAlgorithm
    kid: str | None
    jwk: JsonObject | None
    not_before: datetime | None
    expires: datetime | None
    signing_input: bytes
    signature: bytes


# --- writing ---


def encode(
    credential: JsonObject,
    *,
    kid: str,
    algorithm: KeyAlgorithm,
    sign: Callable[[bytes], bytes],
    public_jwk: JsonObject | None = None,
    issued_at: datetime | None = None,
) -> str:
    """Encode and sign a credential as a compact token. For an asynchronous signer use `signing_input` and `assemble`.

    Args:
        credential: a VC 2.0 credential: dicts and lists, with `id`, `issuer` and `validFrom`. `validFrom` and
            `validUntil` should be in whole seconds, as `nbf` and `exp` are.
        kid: a URL that serves a bare JWK.
        sign: as `LocalSigner.sign`.
        public_jwk: included in the header if given.
        issued_at: the time of signing (`iat`), by which a verifier decides whether the key was valid then.

    Raises:
        UnencodableCredential: a member that the claims need is missing or cannot be encoded.
        InvalidKey: `public_jwk` is private or not a key.
    """
    data = signing_input(credential, kid=kid, algorithm=algorithm, public_jwk=public_jwk, issued_at=issued_at)
    return assemble(data, sign(data))


def signing_input(
    credential: JsonObject,
    *,
    kid: str,
    algorithm: KeyAlgorithm,
    public_jwk: JsonObject | None = None,
    issued_at: datetime | None = None,
) -> bytes:
    """Return the bytes to sign: the encoded header and claims. Arguments and errors as in `encode`."""
    header: dict[str, JsonValue] = {"alg": ALG_OF[algorithm], "kid": kid, "typ": "JWT"}
    if public_jwk is not None:
        if keys.algorithm_of(keys.from_jwk(public_jwk)) is not algorithm:
            raise UnencodableCredential("The public key is not of the algorithm that signs.")
        header["jwk"] = public_jwk
    claims = _claims_of(credential)
    if issued_at is not None:
        claims["iat"] = math.floor(issued_at.timestamp())
    return f"{_encode_part(header)}.{_encode_part(claims)}".encode("ascii")


def assemble(signing_input: bytes, signature: bytes) -> str:
    """Return the compact token of the signed bytes and their signature."""
    return f"{signing_input.decode('ascii')}.{base64url.encode(signature)}"


def _claims_of(credential: JsonObject) -> dict[str, JsonValue]:
    """Return the claims (Open Badges 3.0, 8.2.4.1). There is no `sub` if the subject has no id."""
    if not REGISTERED.isdisjoint(credential) or "vc" in credential:
        raise UnencodableCredential("The credential has a member with the name of a JWT claim.")
    issuer, subject = credential.get("issuer"), credential.get("credentialSubject")
    claims = dict(credential)
    claims["iss"] = issuer.get("id") if isinstance(issuer, Mapping) else issuer
    claims["jti"] = credential.get("id")
    for claim, member in (("iss", "issuer"), ("jti", "id")):
        if not isinstance(claims[claim], str):
            raise UnencodableCredential(f"The credential needs an id in `{member}`.")
    if isinstance(subject, Mapping) and "id" in subject:
        claims["sub"] = subject["id"]
    for claim, member, required in (("nbf", "validFrom", True), ("exp", "validUntil", False)):
        if required or member in credential:
            moment = parse_timestamp(credential.get(member))
            if moment is None:
                raise UnencodableCredential(f"`{member}` of the credential must be a date and time.")
            claims[claim] = math.floor(moment.timestamp())
    return claims


def _encode_part(value: JsonObject) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return base64url.encode(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise UnencodableCredential(f"The credential cannot be written as JSON: {error}.") from error


# --- reading ---


def looks_like_jwt(text: str) -> bool:
    """Return whether `text` looks like a compact token, as opposed to JSON."""
    return text.startswith("ey") and text.count(".") == 2


def decode(compact: str, *, max_characters: int = MAX_CHARACTERS, presentation: bool = False) -> VcJwt:
    """Parse a token, without verifying it.

    Args:
        presentation: expect a presentation, which becomes the result's `credential`: VC-JOSE-COSE, 3.1.2 (`typ` of
            ``vp+jwt``), or the `vp` claim of Verifiable Credentials 1.1.

    Raises:
        TooLarge: longer than `max_characters`.
        InvalidJwt: not three parts of strict base64url with JSON objects, an object with a repeated member, or
            claims of the wrong type.
        UnsupportedJwt: an algorithm that is not accepted (``none`` and HMAC never are), a critical header
            parameter, or a token of another type.
    """
    token = jws.decode(compact, max_characters=max_characters)
    header, claims = token.header, token.claims
    profile = Profile.JOSE_COSE if presentation else _profile(header, claims)
    kid, jwk = header.get("kid"), header.get("jwk")
    if not (kid is None or isinstance(kid, str)) or not (jwk is None or isinstance(jwk, Mapping)):
        raise InvalidJwt("`kid` must be a text and `jwk` an object.")
    dates = {claim: read_numeric_date(claims[claim]) for claim in ("nbf", "exp", "iat") if claim in claims}
    for claim, moment in dates.items():
        if moment is None:
            raise InvalidJwt(f"`{claim}` of this token is not a number of seconds.")
    return VcJwt(
        header=header,
        claims=claims,
        credential=_presentation(header, claims) if presentation else complete(claims, profile),
        profile=profile,
        algorithm=token.algorithm,
        kid=kid,
        jwk=jwk,
        not_before=dates.get("nbf"),
        expires=dates.get("exp"),
        signing_input=token.signing_input,
        signature=token.signature,
    )


def check_claims(jwt: VcJwt) -> list[ClaimMismatch]:
    """Return the differences between the registered claims and the credential (Open Badges 3.0, 8.2.6.1).

    Dates may differ by less than a second. Whether the credential is valid now is not checked.
    """
    return check(jwt.claims, jwt.credential, jwt.profile)


def check_presentation_claims(jwt: VcJwt, *, signer: str) -> list[ClaimMismatch]:
    """Return the differences between the registered claims and the presentation that the token holds."""
    return check_presentation(jwt.claims, jwt.credential, signer)


def _presentation(header: JsonObject, claims: JsonObject) -> JsonObject:
    typ = _type_of(header)
    if typ in _PRESENTATION_TYPES and not claims.keys() & {"vc", "vp"}:
        return complete(claims, Profile.JOSE_COSE)
    inner = claims.get("vp")
    if typ not in _PLAIN_TYPES or not isinstance(inner, Mapping):
        raise UnsupportedJwt("This token holds no presentation.")
    names = (("iss", "holder"), ("jti", "id"))
    return {**{member: claims[claim] for claim, member in names if claim in claims}, **inner}


def _type_of(header: JsonObject) -> str:
    typ = header.get("typ", "JWT")
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else ""


def _profile(header: JsonObject, claims: JsonObject) -> Profile:
    typ = _type_of(header)
    accepted = _PLAIN_TYPES | _JOSE_COSE_TYPES
    if typ not in (accepted | _ANY_TYPES if _is_assertion(claims) else accepted):
        raise UnsupportedJwt("The `typ` of this token is not that of a credential.")
    if "vp" in claims:
        raise UnsupportedJwt("This token holds a presentation, not a credential.")
    if "vc" not in claims:
        return Profile.JOSE_COSE if typ in _JOSE_COSE_TYPES else Profile.OPEN_BADGES
    if typ in _JOSE_COSE_TYPES or "@context" in claims or not isinstance(claims["vc"], Mapping):
        raise InvalidJwt("A `vc` claim holds the whole credential and stands in a token of type JWT.")
    return Profile.VC_1_1


def _is_assertion(claims: JsonObject) -> bool:
    types = claims.get("type")
    return "Assertion" in (types if isinstance(types, list) else (types,))
