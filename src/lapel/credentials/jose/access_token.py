"""Validation of OAuth 2.0 access tokens in the form of signed JWTs (RFC 9068)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lapel.credentials.jose import jws
from lapel.credentials.jose.jws import InvalidJwt, Jws, UnsupportedJwt
from lapel.credentials.jose.vc_jwt_claims import read_numeric_date
from lapel.credentials.keys import InvalidKey, PublicKey, UnsupportedKey, algorithm_of, from_jwk
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import InvalidToken, TooLarge

__all__ = ["MAX_CHARACTERS", "PublishedKey", "check_claims", "decode", "published_keys"]

MAX_CHARACTERS: Final = 16 * 1024

_TYPES: Final = frozenset({"at+jwt", "jwt"})  # many providers do not use the type of RFC 9068
_MAX_KEYS: Final = 64
_MAX_SUBJECT_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A verification key from a JWK Set (RFC 7517, 5).

    Attributes:
        alg: the only ``alg`` that the key is for, if given.
    """

    kid: str | None
    alg: str | None
    algorithm: KeyAlgorithm
    key: PublicKey


def published_keys(jwk_set: JsonObject) -> list[PublishedKey]:
    """Return the verification keys in a JWK Set; secret, private and encryption keys are ignored.

    Raises:
        InvalidJwt: it is not a JWK Set.
    """
    members = jwk_set.get("keys")
    if not isinstance(members, Sequence) or isinstance(members, str):
        raise InvalidJwt("This is no JWK Set: it has no `keys`.")
    published = []
    for jwk in members[:_MAX_KEYS]:
        if not isinstance(jwk, Mapping):
            continue
        try:
            key = from_jwk(jwk)
            algorithm = algorithm_of(key)
        except (InvalidKey, UnsupportedKey):
            continue
        kid, alg = jwk.get("kid"), jwk.get("alg")
        published.append(PublishedKey(_text(kid), _text(alg), algorithm, key))
    return published


def decode(compact: str) -> Jws:
    """Parse a token, without verifying it.

    Raises:
        InvalidToken: it is malformed, not signed with an accepted algorithm, or not an access token.
    """
    try:
        token = jws.decode(compact, max_characters=MAX_CHARACTERS)
    except (InvalidJwt, UnsupportedJwt, TooLarge) as error:
        raise InvalidToken(error.detail) from error
    typ = token.header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in _TYPES:
        raise InvalidToken("The `typ` of this token is not that of an access token.")
    return token


def check_claims(claims: JsonObject, *, issuer: str, audience: str, now: datetime, tolerance: timedelta) -> datetime:
    """Check that the token is for this server and valid now, and return when it expires (RFC 9068, 4; RFC 7519, 4.1).

    Args:
        tolerance: the allowed clock skew.

    Raises:
        InvalidToken: it is not; the message says why.
    """
    if claims.get("iss") != issuer:
        raise InvalidToken("This token is of another issuer than this server believes (`iss`).")
    if audience not in as_list(claims.get("aud")):
        raise InvalidToken("This token is for somebody else than this server (`aud`).")
    expires = _moment(claims, "exp")
    if expires is None:
        raise InvalidToken("This token does not say when it ends (`exp`).")
    if now - tolerance >= expires:  # not `expires + tolerance`, which may be beyond the last year of a datetime
        raise InvalidToken("This token has expired (`exp`).")
    for claim in ("nbf", "iat"):
        begins = _moment(claims, claim)
        if begins is not None and now + tolerance < begins:
            raise InvalidToken(f"This token is not valid yet (`{claim}`).")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT_LENGTH or not subject.isprintable():
        raise InvalidToken(f"This token does not name its subject in 1 to {_MAX_SUBJECT_LENGTH} characters (`sub`).")
    return expires


def _moment(claims: JsonObject, claim: str) -> datetime | None:
    """Return the time in a claim, or None if the claim is absent. Raises InvalidToken for anything else."""
    if claim not in claims:
        return None
    moment = read_numeric_date(claims[claim])
    if moment is None:
        raise InvalidToken(f"`{claim}` of this token is not a number of seconds.")
    return moment


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
