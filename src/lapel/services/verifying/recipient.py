"""Check the recipient: OB 3.0, 9.3 (verifying the recipient with an identifier), and the IdentityHash of appendix B.

The verifier gives an identifier of the expected person: an e-mail address, a DID, a URL, a student number. Without one,
nothing is checked, and the recipient is only shown.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Final

from lapel.domain.json import JsonObject
from lapel.domain.json_members import objects, text_of
from lapel.openbadges.syntax import normalised_phone, phone_problem
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = [
    "HASHED_EMAILS",
    "check_recipient",
    "hashed_recipient",
    "identity_matches",
    "is_by_email_alone",
    "is_identity_hash",
    "recipient_skipped",
    "recipient_verdict",
    "shown_recipient",
]

_HASHES: Final = {"sha256": hashlib.sha256, "md5": hashlib.md5}
_IDENTITY_HASH: Final = re.compile(r"sha256\$[0-9a-f]{64}|md5\$[0-9a-f]{32}", re.IGNORECASE).fullmatch
_EMAIL: Final = re.compile(r"[^@\s:/]+@[^@\s]+").fullmatch
_EMAIL_TYPES: Final = frozenset({"emailAddress", "email"})
_PHONE_TYPES: Final = frozenset({"ext:phone", "ext:telephone", "phone", "telephone"})
# OB 3.0, IdentifierTypeEnum: identifiers of things or places, not of persons. Those of persons' names end with "name".
_IMPERSONAL: Final = frozenset(
    {"productid", "isbn", "issn", "lticontextid", "ltideploymentid", "ltiplatformid", "ltitoolid"}
)
_ACCOUNT_NAMES: Final = frozenset({"username", "loginname", "accountname"})


def check_recipient(subject: JsonObject, expected: str | None) -> Check:
    """Return the check whether the credential is about `expected`.

    Args:
        subject: an OB 3.0 ``credentialSubject``.
        expected: an identifier of the expected person, in plain text; None to skip the check.
    """
    if expected is None:
        return recipient_skipped()
    kinds = [text_of(each.get("identityType")) or "" for each in objects(subject.get("identifier"))]
    by_email = not subject.get("id") and is_by_email_alone(filter(_identifies, kinds), expected)
    return recipient_verdict(_matches(subject, expected.strip()), by_email=by_email)


def recipient_skipped() -> Check:
    """Return the skipped check, for a verification without an expected recipient."""
    sentence = "Nobody said whose badge it should be, so this was not compared."
    return Check(code=CheckCode.RECIPIENT, outcome=Outcome.SKIP, sentence=sentence)


def is_by_email_alone(kinds: Iterable[str], expected: str) -> bool:
    """Return whether all identities are of kinds that are e-mail addresses, and `expected` is not an e-mail address."""
    known = set(kinds)
    return bool(known) and known <= _EMAIL_TYPES and _EMAIL(_bare(expected)) is None


def recipient_verdict(matches: bool, *, by_email: bool) -> Check:
    """Return the check that passed or failed.

    Args:
        by_email: the badge has only an e-mail address, and something else was expected.
    """
    if matches:
        return Check(
            code=CheckCode.RECIPIENT,
            outcome=Outcome.PASS,
            sentence="The badge belongs to the person you expect.",
        )
    return Check(
        code=CheckCode.RECIPIENT,
        outcome=Outcome.FAIL,
        sentence="This badge tells whose it is by an e-mail address alone, and you have given none to compare."
        if by_email
        else "The badge does not belong to the person you expect.",
        problem=Problem.RECIPIENT_MISMATCH,
    )


def hashed_recipient(kind: str) -> str:
    """Return how a report names a recipient of whom the document has only a hash: see `Shown.recipient`."""
    return f"hashed {kind}"


HASHED_EMAILS: Final = frozenset(map(hashed_recipient, _EMAIL_TYPES))
"""How reports name recipients of whom documents have only a hash of their e-mail address."""


def shown_recipient(subject: JsonObject) -> str | None:
    """Return the recipient's plain identity, or else that it is hashed, and its kind. A hash is not shown."""
    if identity := text_of(subject.get("id")):
        return identity
    identifiers = objects(subject.get("identifier"))
    plain = [text_of(item.get("identityHash")) for item in identifiers if item.get("hashed") is False]
    kinds = [text_of(item.get("identityType")) or "identity" for item in identifiers if item.get("hashed") is not False]
    return next((shown for shown in (*plain, *map(hashed_recipient, kinds)) if shown), None)


def is_identity_hash(identity: str) -> bool:
    """Return whether it has the form of an IdentityHash (OB 3.0, appendix B.6; OB 2.0, "Primitive datatypes")."""
    return _IDENTITY_HASH(identity) is not None


def identity_matches(stored: str, expected: str, *, kind: str, hashed: bool, salt: str) -> bool:
    """Return whether `stored` is `expected`, and is of a kind that identifies one person.

    An e-mail address is tried as given and in lower case, because issuers hash either; a telephone number also without
    punctuation, as Lapel issues it.

    Args:
        stored: plain, or an IdentityHash (``sha256$…``, ``md5$…``).
        kind: an OB 3.0 IdentifierTypeEnum value or an OB 2.0 recipient type.
    """
    expected = _bare(expected)
    if not expected or not _identifies(kind) or (kind in _EMAIL_TYPES) != (_EMAIL(expected) is not None):
        return False
    candidates = tuple(_spellings(expected, kind))
    if hashed:
        return any(_hash_matches(stored, candidate, salt) for candidate in candidates)
    if kind in _EMAIL_TYPES and stored.lower() == expected.lower():
        return True
    if kind in _PHONE_TYPES and phone_problem(stored) is None:
        stored = normalised_phone(stored)
    return any(hmac.compare_digest(_octets(stored), _octets(candidate)) for candidate in candidates)


def _matches(subject: JsonObject, expected: str) -> bool:
    plain = _bare(expected)
    if not plain:
        return False
    if subject.get("id") in (expected, f"mailto:{plain}", f"tel:{plain}"):
        return True
    return any(
        identity_matches(
            text_of(identifier.get("identityHash")) or "",
            plain,
            kind=text_of(identifier.get("identityType")) or "",
            hashed=identifier.get("hashed") is not False,
            salt=text_of(identifier.get("salt")) or "",
        )
        for identifier in objects(subject.get("identifier"))
    )


def _bare(expected: str) -> str:
    """Return the identity without the scheme of a ``mailto:`` or ``tel:`` link."""
    expected = expected.strip()
    scheme, _, rest = expected.partition(":")
    return rest if scheme.lower() in ("mailto", "tel") else expected


def _identifies(kind: str) -> bool:
    """Return whether an identity of this kind belongs to one person only, unlike a name or an ISBN."""
    word = kind.removeprefix("ext:").lower()
    return bool(word) and word not in _IMPERSONAL and (not word.endswith("name") or word in _ACCOUNT_NAMES)


def _spellings(expected: str, kind: str) -> Iterator[str]:
    yield expected
    if kind in _PHONE_TYPES and phone_problem(expected) is None:
        yield normalised_phone(expected)
    if kind in _EMAIL_TYPES:
        local, _, domain = expected.rpartition("@")
        yield f"{local}@{domain.lower()}"
        yield expected.lower()


def _hash_matches(stored: str, candidate: str, salt: str) -> bool:
    algorithm, _, digest = stored.partition("$")
    hash_function = _HASHES.get(algorithm.lower())
    if hash_function is None:
        return False
    computed = hash_function(_octets(candidate + salt), usedforsecurity=False).hexdigest()
    return hmac.compare_digest(_octets(computed), _octets(digest.lower()))


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
