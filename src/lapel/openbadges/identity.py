"""Who earned it: identities, plain or as a salted hash (OB 3.0, IdentityObject; OB 2.0, IdentityObject)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.text import fold
from lapel.openbadges import checks, vocabulary
from lapel.openbadges.problems import Problems
from lapel.openbadges.syntax import (
    composed,
    did_problem,
    email_problem,
    normalised_phone,
    phone_problem,
    uri_problem,
)

__all__ = [
    "RECIPIENT_TYPES",
    "TYPE_SHOWN",
    "Identity",
    "Recipient",
    "RecipientType",
    "identity_hash",
    "look_up",
    "read_identities",
    "read_recipient",
]


class RecipientType(StrEnum):
    """What kind of identity it is: an OB 3.0 IdentifierTypeEnum value, or the subject's own id."""

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
"""The words that callers may use: Lapel's, Open Badges 2.0's and 3.0's."""

TYPE_SHOWN: Final = {RecipientType.EMAIL.value: "email", RecipientType.PHONE.value: "phone"}
"""Lapel's word in answers, where it is not the standard's."""

_MOST_IDENTITIES: Final = 20
_LONGEST_SALT: Final = 200
_HASH: Final = re.compile(r"(?:sha256\$([0-9A-Fa-f]{64})$|[A-Za-z0-9]+\$)")
_BAD_HASH: Final = "must be sha256$ and 64 hexadecimal digits, where it is a hash"

_PROBLEM_OF: Final[Mapping[str, Callable[[str], str | None]]] = {
    RecipientType.EMAIL: email_problem,
    RecipientType.PHONE: phone_problem,
    RecipientType.DID: did_problem,
    RecipientType.URL: uri_problem,
}


class Identity(NamedTuple):
    """An identity that has been checked.

    Attributes:
        type: an OB 3.0 IdentifierTypeEnum value, or an extension of it.
        hashed: whether only its salted hash is shown.
    """

    type: str
    identity: str
    hashed: bool


class Recipient(NamedTuple):
    """A recipient whose identity has been checked.

    Attributes:
        identity: as it is hashed or shown: an e-mail address in composed Unicode, a phone number without punctuation.
        hashed: never true for a DID or URL.
        name: shown in the credential.
        others: further identities.
        salt: of an `identity` that was given as a hash; empty where that has none, None where it was given plain.
    """

    type: RecipientType
    identity: str
    hashed: bool
    name: str | None = None
    others: Sequence[Identity] = ()
    salt: str | None = None

    def identifiers(self, *, salt: str) -> list[JsonObject]:
        """The subject's ``identifier``: empty where it has an id and no name."""
        found: list[JsonObject] = []
        if self.salt is not None:
            found.append(_hashed_identity(str(self.type), self.identity, self.salt))
        elif self.type in (RecipientType.EMAIL, RecipientType.PHONE):
            found.append(_identity_object(str(self.type), self.identity, salt if self.hashed else None))
        if self.name is not None:
            found.append(_identity_object("name", self.name, None))
        if self.others:
            found += [_identity_object(one.type, one.identity, salt if one.hashed else None) for one in self.others]
        return found

    @property
    def subject_id(self) -> str | None:
        """The subject's ``id``, where the identity is one."""
        return self.identity if self.type in (RecipientType.DID, RecipientType.URL) else None


def _identity_object(identity_type: str, identity: str, salt: str | None) -> JsonObject:
    """OB 3.0, IdentityObject class. Without a salt it shows the identity itself."""
    if salt is None:
        return {"type": "IdentityObject", "hashed": False, "identityHash": identity, "identityType": identity_type}
    return _hashed_identity(identity_type, identity_hash(identity, salt), salt)


def _hashed_identity(identity_type: str, hash_: str, salt: str) -> JsonObject:
    found: dict[str, JsonValue] = {
        "type": "IdentityObject",
        "hashed": True,
        "identityHash": hash_,
        "identityType": identity_type,
    }
    return {**found, "salt": salt} if salt else found


def identity_hash(identity: str, salt: str) -> str:
    """``sha256$`` and the hexadecimal digest of the identity followed by the salt; alike in both versions."""
    return f"sha256${hashlib.sha256((identity + salt).encode()).hexdigest()}"


def look_up(recipient: Recipient, *, key: bytes) -> bytes:
    """What finds all credentials of one identity, and tells nothing to who has not `key`: HMAC-SHA256."""
    identity = fold(recipient.identity) if recipient.type is RecipientType.EMAIL else recipient.identity
    mac = _keyed(key).copy()
    mac.update(f"{recipient.type}\0{identity}".encode())
    return mac.digest()


@lru_cache(maxsize=4)
def _keyed(key: bytes) -> hmac.HMAC:
    """To be copied: the key is hashed once, not for each identity."""
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
) -> Recipient | None:
    """The recipient, or None after noting what is wrong with it.

    Args:
        identity: itself or, where `hashed` is true, perhaps ``sha256$…`` of it and `salt`, if there is one.
    """
    kind = RECIPIENT_TYPES.get(type)
    before = bool(problems)
    problems.text(name, f"{pointer}/name")
    if kind is None:
        problems.add(f"{pointer}/type", "must be email, did, url or phone", "not_allowed")
        return None
    given = _HASH.match(identity) if hashed else None
    problem = _PROBLEM_OF[kind](identity) if given is None else None if given[1] else _BAD_HASH
    if problem is not None:
        problems.add(f"{pointer}/identity", problem, "bad_identity")
        return None
    if salt is not None:
        problems.text(salt, f"{pointer}/salt", most=_LONGEST_SALT)
        if given is None:
            problems.add(f"{pointer}/salt", "belongs to an identity that is given as a hash", "not_allowed")
    has_id = kind in (RecipientType.DID, RecipientType.URL)
    if has_id and hashed:
        problems.add(f"{pointer}/hashed", "must not be true: a DID or URL is the subject's id", "not_allowed")
        return None
    if problems and not before:
        return None
    return Recipient(
        type=kind,
        identity=_normalised(kind, identity) if given is None else identity.lower(),
        hashed=not has_id and hashed is not False,
        name=name,
        others=others,
        salt=None if given is None else salt or "",
    )


def read_identities(
    problems: Problems, pointer: str, items: Sequence[tuple[str, str, bool | None]]
) -> Sequence[Identity]:
    """Further identities, each a type, an identity, and whether to hash it; what is wrong with them is noted."""
    if not problems.count(items, pointer, most=_MOST_IDENTITIES):
        return ()
    found: list[Identity] = []
    for index, (kind, identity, hashed) in enumerate(items):
        where = f"{pointer}/{index}"
        checks.word(problems, kind, f"{where}/type", vocabulary.IDENTIFIER_TYPES)
        if (rule := _PROBLEM_OF.get(kind)) is None:
            problems.text(identity, f"{where}/identity")
        elif (problem := rule(identity)) is not None:
            problems.add(f"{where}/identity", problem, "bad_identity")
        one = Identity(kind, _normalised(kind, identity), hashed is not False)
        if any((one.type, one.identity) == (other.type, other.identity) for other in found):
            problems.add(where, "must not repeat an earlier item", "repeated")
        found.append(one)
    return found


def _normalised(kind: str, identity: str) -> str:
    if kind == RecipientType.PHONE:
        return normalised_phone(identity)
    return composed(identity) if kind == RecipientType.EMAIL else identity
