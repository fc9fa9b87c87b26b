"""OAuth 2.0 access tokens in the form of signed JWTs (RFC 9068): what one must say to be believed here."""

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
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import InvalidToken, TooLarge

__all__ = ["MAX_CHARACTERS", "PublishedKey", "check_claims", "decode", "published_keys"]

MAX_CHARACTERS: Final = 16 * 1024

_TYPES: Final = frozenset({"at+jwt", "jwt"})  # many providers do not write RFC 9068's own name
_MOST_KEYS: Final = 64
_LONGEST_SUBJECT: Final = 200


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key of a JWK Set (RFC 7517, 5) that can be verified with.

    Attributes:
        alg: the only ``alg`` that it is for, if it says so.
    """

    kid: str | None
    alg: str | None
    algorithm: KeyAlgorithm
    key: PublicKey


def published_keys(jwk_set: JsonObject) -> list[PublishedKey]:
    """Those of its keys that signatures can be verified with; secret, private and encryption keys are passed over.

    Raises:
        InvalidJwt: it is no JWK Set.
    """
    members = jwk_set.get("keys")
    if not isinstance(members, Sequence) or isinstance(members, str):
        raise InvalidJwt("This is no JWK Set: it has no `keys`.")
    found = []
    for jwk in members[:_MOST_KEYS]:
        if not isinstance(jwk, Mapping):
            continue
        try:
            key = from_jwk(jwk)
            algorithm = algorithm_of(key)
        except (InvalidKey, UnsupportedKey):
            continue
        kid, alg = jwk.get("kid"), jwk.get("alg")
        found.append(PublishedKey(_text(kid), _text(alg), algorithm, key))
    return found


def decode(compact: str) -> Jws:
    """Take a token apart, without believing any of it.

    Raises:
        InvalidToken: it cannot be read, is not signed as it must be, or is no access token.
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
    """When the token ends, if it is for here and now (RFC 9068, 4; RFC 7519, 4.1).

    Args:
        tolerance: how far clocks may be apart.

    Raises:
        InvalidToken: it is not; the sentence says why.
    """
    if claims.get("iss") != issuer:
        raise InvalidToken("This token is of another issuer than this server believes (`iss`).")
    named = claims.get("aud")
    if audience not in ([named] if isinstance(named, str) else named if isinstance(named, Sequence) else []):
        raise InvalidToken("This token is for somebody else than this server (`aud`).")
    expires = _moment(claims, "exp")
    if expires is None:
        raise InvalidToken("This token does not say when it ends (`exp`).")
    if now >= expires + tolerance:
        raise InvalidToken("This token has expired (`exp`).")
    for claim in ("nbf", "iat"):
        begins = _moment(claims, claim)
        if begins is not None and now + tolerance < begins:
            raise InvalidToken(f"This token is not valid yet (`{claim}`).")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise InvalidToken(f"This token does not name its subject in 1 to {_LONGEST_SUBJECT} characters (`sub`).")
    return expires


def _moment(claims: JsonObject, claim: str) -> datetime | None:
    """Raises InvalidToken where there is something else."""
    if claim not in claims:
        return None
    moment = read_numeric_date(claims[claim])
    if moment is None:
        raise InvalidToken(f"`{claim}` of this token is not a number of seconds.")
    return moment


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
