"""Compares the registered claims of a VC-JWT with the members of its credential that duplicate them.

Sources: Open Badges 3.0, sections 8.2.4 and 8.2.6; Verifiable Credentials 1.1, section 6.3.1; VC-JOSE-COSE,
section 3.1.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from lapel.credentials.date_time import parse_timestamp
from lapel.domain.clock import format_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, object_of

__all__ = [
    "REGISTERED",
    "ClaimMismatch",
    "Profile",
    "check",
    "check_presentation",
    "complete",
    "read_numeric_date",
]

REGISTERED: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
"""The registered claims (RFC 7519, section 4.1), which are never members of the credential."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_SECOND: Final = timedelta(seconds=1)


class Profile(StrEnum):
    """How a token contains its credential."""

    OPEN_BADGES = "ob-3.0"
    """The credential's members are claims, and the registered claims must match them."""
    VC_1_1 = "vc-1.1"
    """The credential is the `vc` claim, completed by the registered claims."""
    JOSE_COSE = "vc-jose-cose"
    """The claims are the credential; `exp`, `iat` and `nbf` apply to the signature, not to the credential."""


@dataclass(frozen=True, slots=True)
class ClaimMismatch:
    """A registered claim that differs from the credential.

    Attributes:
        claim: ``iss``, ``sub``, ``jti``, ``nbf`` or ``exp``.
        pointer: the credential's member, as a JSON Pointer.
        detail: what is wrong, in a sentence.
    """

    claim: str
    pointer: str
    detail: str


def read_numeric_date(value: JsonValue) -> datetime | None:
    """Parse a NumericDate (RFC 7519, section 2); None if it is invalid or outside the range of `datetime`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _EPOCH + timedelta(seconds=value)
    except (ValueError, OverflowError):
        return None


def complete(claims: JsonObject, profile: Profile) -> JsonObject:
    """Return the credential in the claims, with missing members filled in from the registered claims."""
    if profile is not Profile.VC_1_1:
        credential = {name: value for name, value in claims.items() if name not in REGISTERED}
        # Open Badges 3.0, 8.2.6: `exp` sets `validUntil`.
        if profile is Profile.OPEN_BADGES and "exp" in claims and "validUntil" not in credential:
            credential["validUntil"] = _as_timestamp(claims["exp"])
        return credential
    credential = dict(object_of(claims["vc"]))
    start, end = _date_members(credential)
    if "nbf" in claims:
        credential.setdefault(start, _as_timestamp(claims["nbf"]))
    if "exp" in claims:
        credential.setdefault(end, _as_timestamp(claims["exp"]))
    for claim, member in (("iss", "issuer"), ("jti", "id")):
        if claim in claims:
            credential.setdefault(member, claims[claim])
    subject = credential.get("credentialSubject")
    if "sub" in claims and isinstance(subject, Mapping) and "id" not in subject:
        credential["credentialSubject"] = {"id": claims["sub"], **subject}
    return credential


def check(claims: JsonObject, credential: JsonObject, profile: Profile) -> list[ClaimMismatch]:
    """Return every registered claim that contradicts the credential, or that is required but missing."""
    start, end = _date_members(credential)
    required = profile is not Profile.JOSE_COSE
    issuer, subject = credential.get("issuer"), credential.get("credentialSubject")
    ids = (("iss", "/issuer", _ids(issuer)), ("sub", "/credentialSubject", _ids(subject)))
    mismatches = [
        *(_check_id(claims, claim, pointer, expected, required=required) for claim, pointer, expected in ids),
        _check_id(claims, "jti", "/id", _texts([credential.get("id")]), required=required),
    ]
    if profile is not Profile.JOSE_COSE:
        mismatches.append(_check_date(claims, "nbf", credential, start, required=True))
        mismatches.append(_check_date(claims, "exp", credential, end, required=False))
    if profile is Profile.OPEN_BADGES and "iss" not in claims and not _ids(issuer):
        mismatches.append(ClaimMismatch("iss", "/issuer", "Neither the token nor the credential names an issuer."))
    return [mismatch for mismatch in mismatches if mismatch]


def check_presentation(claims: JsonObject, presentation: JsonObject, signer: str) -> list[ClaimMismatch]:
    """Return every registered claim that contradicts the presentation: `iss` is its holder, `jti` its id.

    Args:
        signer: the key's owner, who is the holder of a presentation that does not name one.
    """
    ids = [("iss", "/holder", _ids(presentation.get("holder", signer)))]
    if "id" in presentation:
        ids.append(("jti", "/id", _texts([presentation["id"]])))
    mismatches = [_check_id(claims, claim, pointer, expected, required=False) for claim, pointer, expected in ids]
    return [mismatch for mismatch in mismatches if mismatch]


def _check_id(
    claims: JsonObject, claim: str, pointer: str, expected: Sequence[str], *, required: bool
) -> ClaimMismatch | None:
    if claim not in claims:
        if required and expected:
            return ClaimMismatch(claim, pointer, f"The token has no `{claim}`, although the credential has its value.")
        return None
    if claims[claim] not in expected:
        return ClaimMismatch(claim, pointer, f"`{claim}` of the token is not the id at {pointer} in what it holds.")
    return None


def _check_date(
    claims: JsonObject, claim: str, credential: JsonObject, member: str, *, required: bool
) -> ClaimMismatch | None:
    pointer = f"/{member}"
    if claim not in claims:
        if required or member in credential:
            return ClaimMismatch(claim, pointer, f"The token has no `{claim}` for {member} of the credential.")
        return None
    actual, expected = read_numeric_date(claims[claim]), parse_timestamp(credential.get(member))
    # A NumericDate is commonly truncated to whole seconds.
    if actual is None or expected is None or abs(actual - expected) >= _ONE_SECOND:
        return ClaimMismatch(claim, pointer, f"`{claim}` of the token is not {member} of the credential.")
    return None


def _date_members(credential: JsonObject) -> tuple[str, str]:
    if "validFrom" in credential or "validUntil" in credential:
        return "validFrom", "validUntil"
    contexts = credential.get("@context")
    if isinstance(contexts, list | tuple) and "https://www.w3.org/ns/credentials/v2" in contexts:
        return "validFrom", "validUntil"
    if "issuanceDate" in credential or "expirationDate" in credential or contexts is not None:
        return "issuanceDate", "expirationDate"
    return "validFrom", "validUntil"


def _ids(value: JsonValue) -> list[str]:
    """Return the ids of an issuer or of subjects: a text, an object with an id, or several of these."""
    return _texts([item.get("id") if isinstance(item, Mapping) else item for item in as_list(value)])


def _texts(values: Sequence[JsonValue]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _as_timestamp(value: JsonValue) -> JsonValue:
    moment = read_numeric_date(value)
    return format_timestamp(moment) if moment else value
