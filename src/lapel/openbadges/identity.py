"""Recipients' identities, plain or as a salted hash (OB 3.0, IdentityObject; OB 2.0, IdentityObject)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.text import fold
from lapel.openbadges import checks, vocabulary
from lapel.openbadges.problems import Problems
from lapel.openbadges.syntax import (
    did_problem,
    email_problem,
    normalised_phone,
    phone_problem,
    to_nfc,
    uri_problem,
)

__all__ = [
    "RECIPIENT_TYPES",
    "TYPE_NAMES",
    "Identity",
    "Recipient",
    "RecipientType",
    "identity_hash",
    "lookup_hash",
    "read_identities",
    "read_recipient",
]


class RecipientType(StrEnum):
    """The type of an identity: an OB 3.0 IdentifierTypeEnum value, or ``did`` or ``url`` for the subject's own id."""

    EMAIL = "emailAddress"
    PHONE = "ext:phone"
    DID = "did"
    URL = "url"


RECIPIENT_TYPES: Final = {
    "email": RecipientType.EMAIL,
    "emailAddress": RecipientType.EMAIL,
    "phone": RecipientType.PHONE,
    "telephone": RecipientType.PHONE,
    "ext:phone": RecipientType.PHONE,
    "did": RecipientType.DID,
    "url": RecipientType.URL,
}
"""The names of types in requests: Lapel's, Open Badges 2.0's and 3.0's."""

TYPE_NAMES: Final = {RecipientType.EMAIL.value: "email", RecipientType.PHONE.value: "phone"}
"""Lapel's names of types in responses, where they differ from the standard's."""

_MAX_IDENTITIES: Final = 20
_MAX_SALT_LENGTH: Final = 200
_HASH: Final = re.compile(r"(?:sha256\$([0-9A-Fa-f]{64})$|[A-Za-z0-9]+\$)")
_BAD_HASH: Final = "must be sha256$ and 64 hexadecimal digits, where it is a hash"

_CHECKS: Final[Mapping[str, Callable[[str], str | None]]] = {
    RecipientType.EMAIL: email_problem,
    RecipientType.PHONE: phone_problem,
    RecipientType.DID: did_problem,
    RecipientType.URL: uri_problem,
}


class Identity(Struct, frozen=True):
    """A validated identity.

    Attributes:
        type: an OB 3.0 IdentifierTypeEnum value, or an extension of it.
        hashed: whether the credential contains only its salted hash.
    """

    type: str
    identity: str
    hashed: bool


class Recipient(Struct, frozen=True):
    """A recipient with a validated identity.

    Attributes:
        identity: normalised: an e-mail address in composed Unicode, a phone number without punctuation. If the
            request gave a hash, that hash.
        hashed: never true for a DID or URL.
        name: shown in the credential.
        others: further identities.
        salt: the salt of an `identity` that was given as a hash, or empty; None if the identity was given plain.
    """

    type: RecipientType
    identity: str
    hashed: bool
    name: str | None = None
    others: Sequence[Identity] = ()
    salt: str | None = None

    def identifiers(self, *, salt: str) -> list[JsonObject]:
        """Return the subject's ``identifier``: empty if it has nothing but an id."""
        result: list[JsonObject] = []
        if self.salt is not None:
            result.append(_hashed_identity(str(self.type), self.identity, self.salt))
        elif self.type in (RecipientType.EMAIL, RecipientType.PHONE):
            result.append(_identity_object(str(self.type), self.identity, salt if self.hashed else None))
        if self.name is not None:
            result.append(_identity_object("name", self.name, None))
        if self.others:
            result += [
                _identity_object(other.type, other.identity, salt if other.hashed else None) for other in self.others
            ]
        return result

    @property
    def subject_id(self) -> str | None:
        """The subject's ``id``: the identity if it is a DID or URL."""
        return self.identity if self.type in (RecipientType.DID, RecipientType.URL) else None


def _identity_object(identity_type: str, identity: str, salt: str | None) -> JsonObject:
    """Return an IdentityObject (OB 3.0, IdentityObject class), which contains the plain identity if `salt` is None."""
    if salt is None:
        return {"type": "IdentityObject", "hashed": False, "identityHash": identity, "identityType": identity_type}
    return _hashed_identity(identity_type, identity_hash(identity, salt), salt)


def _hashed_identity(identity_type: str, hash_: str, salt: str) -> JsonObject:
    members: dict[str, JsonValue] = {
        "type": "IdentityObject",
        "hashed": True,
        "identityHash": hash_,
        "identityType": identity_type,
    }
    return {**members, "salt": salt} if salt else members


def identity_hash(identity: str, salt: str) -> str:
    """Return ``sha256$`` and the hexadecimal digest of identity plus salt, the same for OB 2.0 and 3.0."""
    return f"sha256${hashlib.sha256((identity + salt).encode()).hexdigest()}"


def lookup_hash(recipient: Recipient, *, key: bytes) -> bytes:
    """Return the HMAC-SHA256 by which credentials of the same identity are found; useless without `key`."""
    identity = fold(recipient.identity) if recipient.type is RecipientType.EMAIL else recipient.identity
    mac = _hmac(key).copy()
    mac.update(f"{recipient.type}\0{identity}".encode())
    return mac.digest()


@lru_cache(maxsize=4)
def _hmac(key: bytes) -> hmac.HMAC:
    """Return an HMAC to copy, so that the key is not hashed again for each identity."""
    return hmac.new(key, digestmod="sha256")


def read_recipient(
    problems: Problems,
    pointer: str,
    *,
    type: str,  # noqa: A002 - the member's own name
    identity: str,
    hashed: bool | None,
    name: str | None,
    others: Sequence[Identity] = (),
    salt: str | None = None,
    may_be_old: bool = False,
) -> Recipient | None:
    """Return the recipient, or None after noting its problems.

    Args:
        may_be_old: see `email_problem`.
        identity: plain; or, if `hashed` is true, optionally ``sha256$…`` of the identity followed by `salt`.
    """
    kind = RECIPIENT_TYPES.get(type)
    had_problems = bool(problems)
    problems.text(name, f"{pointer}/name")
    if kind is None:
        problems.add(f"{pointer}/type", "must be email, did, url or phone", "not_allowed")
        return None
    hash_match = _HASH.match(identity) if hashed else None
    if hash_match is not None:
        problem = None if hash_match[1] else _BAD_HASH
    elif kind is RecipientType.EMAIL:
        problem = email_problem(identity, may_be_old=may_be_old)
    else:
        problem = _CHECKS[kind](identity)
    if problem is not None:
        problems.add(f"{pointer}/identity", problem, "bad_identity")
        return None
    if salt is not None:
        problems.text(salt, f"{pointer}/salt", max_length=_MAX_SALT_LENGTH)
        if hash_match is None:
            problems.add(f"{pointer}/salt", "belongs to an identity that is given as a hash", "not_allowed")
    has_id = kind in (RecipientType.DID, RecipientType.URL)
    if has_id and hashed:
        problems.add(f"{pointer}/hashed", "must not be true: a DID or URL is the subject's id", "not_allowed")
        return None
    if problems and not had_problems:
        return None
    return Recipient(
        type=kind,
        identity=_normalised(kind, identity) if hash_match is None else identity.lower(),
        hashed=not has_id and hashed is not False,
        name=name,
        others=others,
        salt=None if hash_match is None else salt or "",
    )


def read_identities(
    problems: Problems, pointer: str, items: Sequence[tuple[str, str, bool | None]]
) -> Sequence[Identity]:
    """Return further identities, after noting their problems.

    Args:
        items: the type and the identity, and whether to hash it.
    """
    if not problems.count(items, pointer, max_items=_MAX_IDENTITIES):
        return ()
    identities: list[Identity] = []
    for index, (kind, identity, hashed) in enumerate(items):
        item_pointer = f"{pointer}/{index}"
        checks.word(problems, kind, f"{item_pointer}/type", vocabulary.IDENTIFIER_TYPES)
        if (check := _CHECKS.get(kind)) is None:
            problems.text(identity, f"{item_pointer}/identity")
        elif (problem := check(identity)) is not None:
            problems.add(f"{item_pointer}/identity", problem, "bad_identity")
        new = Identity(kind, _normalised(kind, identity), hashed is not False)
        if any((new.type, new.identity) == (other.type, other.identity) for other in identities):
            problems.add(item_pointer, "must not repeat an earlier item", "repeated")
        identities.append(new)
    return identities


def _normalised(kind: str, identity: str) -> str:
    if kind == RecipientType.PHONE:
        return normalised_phone(identity)
    return to_nfc(identity) if kind == RecipientType.EMAIL else identity
