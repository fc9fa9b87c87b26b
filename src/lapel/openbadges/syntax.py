"""The syntax of identifiers and addresses in input.

Each ``…_problem`` returns None for a valid value, or else what is wrong with it.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from lapel.domain.safe_numbers import LARGEST, SMALLEST, is_half_way

__all__ = [
    "MAX_ADDRESS_LENGTH",
    "did_problem",
    "email_problem",
    "iri_problem",
    "language_problem",
    "normalised_phone",
    "number_problem",
    "phone_problem",
    "time_problem",
    "to_nfc",
    "uri_problem",
    "url_problem",
]

MAX_ADDRESS_LENGTH: Final = 2048

# RFC 3987: an absolute IRI, without the characters that neither an IRI nor the IRIREF of N-Quads may contain.
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f-\x9f<>\"{}|\\^`\s\ud800-\udfff\ufffe\uffff]+").fullmatch
# DID Core, 3.1, without path, query and fragment.
_DID = re.compile(
    r"did:[a-z0-9]+:(?:(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*:)*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+"
).fullmatch
_PHONE = re.compile(r"\+?[0-9(][0-9 ().\u2010-\u2013/-]*").fullmatch
_LANGUAGE = re.compile(r"[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?").fullmatch
_NOT_IN_EMAIL = re.compile(r"[\s\x00-\x20\x7f-\x9f<>()\[\],;:\\\"\ud800-\udfff\ufffe\uffff]").search
# Characters that nobody sees, and no mail provider allows, but that come along when addresses are copied.
_INVISIBLE = re.compile(
    r"[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
).search
_DOMAIN = re.compile(r"(?:(?!-)[^.]{1,63}(?<!-)(?:\.|\Z))+(?<!\.)").fullmatch


def iri_problem(value: str) -> str | None:
    """Check an absolute IRI of any scheme."""
    if len(value) > MAX_ADDRESS_LENGTH:
        return f"must have at most {MAX_ADDRESS_LENGTH} characters"
    if not _IRI(value):
        return "must be a full address, such as https://example.org/1 or urn:uuid:…"
    return None


def url_problem(value: str) -> str | None:
    """Check an absolute ``https`` or ``http`` URL."""
    problem = "must be a full web address, such as https://example.org/page"
    if iri_problem(value):
        return iri_problem(value) if len(value) > MAX_ADDRESS_LENGTH else problem
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return problem
    if not usable:
        return problem
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    return None


def uri_problem(value: str) -> str | None:
    """Check an absolute IRI of any scheme; a web address must be a valid URL."""
    return url_problem(value) if value.lower().startswith(("https:", "http:")) else iri_problem(value)


def did_problem(value: str) -> str | None:
    """Check a DID (DID Core, 3.1), without path, query or fragment."""
    if len(value) > MAX_ADDRESS_LENGTH or not _DID(value):
        return "must be a DID, such as did:web:example.org"
    return None


def email_problem(value: str, *, may_be_old: bool = False) -> str | None:
    """Check an e-mail address, internationalised or not (RFC 5321, RFC 6531); quoted local parts are invalid.

    Args:
        may_be_old: whether it may have been stored when invisible characters were not refused yet.
    """
    if len(value) > 254:
        return "must have at most 254 characters"
    if not may_be_old and _INVISIBLE(value):
        return "must not contain invisible characters"
    local, at, domain = value.partition("@")
    valid = (
        at
        and "@" not in domain
        and 0 < len(local) <= 64
        and not _NOT_IN_EMAIL(value)
        and all(local.split("."))
        and _DOMAIN(domain)
    )
    return None if valid else "must be an e-mail address, such as ada@example.org"


def phone_problem(value: str) -> str | None:
    """Check a telephone number of 5 to 15 digits (E.164), with or without the usual punctuation."""
    if len(value) > 64 or not _PHONE(value) or not 5 <= len(normalised_phone(value).lstrip("+")) <= 15:
        return "must be a telephone number, such as +442079460958"
    return None


def normalised_phone(value: str) -> str:
    """Return only the digits, with a leading plus sign if there is one."""
    plus = "+" if value.startswith("+") else ""
    return plus + "".join(character for character in value if character in "0123456789")


def language_problem(value: str) -> str | None:
    """Check a language code in OB 3.0's form (LanguageCode)."""
    return None if _LANGUAGE(value) else "must be a language code, such as en or pt-BR"


def number_problem(value: float) -> str | None:
    """Check that every JSON-LD implementation serialises a number alike."""
    if not -LARGEST < value < LARGEST:  # also NaN; 2⁵³ itself may have been 2⁵³ + 1 (RFC 7493, 2.2)
        return "must be a number of less than 2⁵³"
    if value and abs(value) < SMALLEST:
        return "must be 0 or at least 0.000001"
    if is_half_way(value):
        return "must be a number of at most 16 digits"
    return None


def time_problem(value: datetime) -> str | None:
    """Check that a datetime is aware and representable in UTC."""
    if value.tzinfo is None:
        return "must have an offset, such as 2026-01-31T12:00:00Z"
    try:
        value.astimezone(UTC)
    except OverflowError:
        return "must lie in the years 1 to 9999"
    return None


def to_nfc(value: str) -> str:
    """Return `value` in Unicode's composed form (NFC), so that texts that look alike hash alike."""
    return unicodedata.normalize("NFC", value)
