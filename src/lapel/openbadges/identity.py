"""Who earned it: identities, plain or as a salted hash (OB 3.0, IdentityObject; OB 2.0, IdentityObject)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from lapel.domain.json import JsonObject
from lapel.domain.text import fold
from lapel.openbadges.problems import Problems
from lapel.openbadges.syntax import (
    composed,
    did_problem,
    email_problem,
    normalised_phone,
    phone_problem,
    url_problem,
)

__all__ = ["RECIPIENT_TYPES", "Recipient", "RecipientType", "identity_hash", "look_up", "read_recipient"]


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

_PROBLEM_OF: Final = {
    RecipientType.EMAIL: email_problem,
    RecipientType.PHONE: phone_problem,
    RecipientType.DID: did_problem,
    RecipientType.URL: url_problem,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A recipient whose identity has been checked.

    Attributes:
        identity: as it is hashed or shown: an e-mail address in composed Unicode, a phone number without punctuation.
        hashed: never true for a DID or URL.
        name: shown in the credential.
    """

    type: RecipientType
    identity: str
    hashed: bool
    name: str | None = None

    def identifiers(self, *, salt: str) -> list[JsonObject]:
        """The subject's ``identifier``: empty where it has an id and no name."""
        found: list[JsonObject] = []
        if self.type in (RecipientType.EMAIL, RecipientType.PHONE):
            if self.hashed:
                found.append(
                    {
                        "type": "IdentityObject",
                        "hashed": True,
                        "identityHash": identity_hash(self.identity, salt),
                        "identityType": self.type.value,
                        "salt": salt,
                    }
                )
            else:
                found.append(_plain(self.identity, self.type.value))
        if self.name is not None:
            found.append(_plain(self.name, "name"))
        return found

    @property
    def subject_id(self) -> str | None:
        """The subject's ``id``, where the identity is one."""
        return self.identity if self.type in (RecipientType.DID, RecipientType.URL) else None


def _plain(identity: str, identity_type: str) -> JsonObject:
    return {
        "type": "IdentityObject",
        "hashed": False,
        "identityHash": identity,
        "identityType": identity_type,
    }


def identity_hash(identity: str, salt: str) -> str:
    """``sha256$`` and the hexadecimal digest of the identity followed by the salt; alike in both versions."""
    return f"sha256${hashlib.sha256((identity + salt).encode()).hexdigest()}"


def look_up(recipient: Recipient, *, key: bytes) -> bytes:
    """What finds all credentials of one identity, and tells nothing to who has not `key`: HMAC-SHA256."""
    identity = fold(recipient.identity) if recipient.type is RecipientType.EMAIL else recipient.identity
    mac = _keyed(key).copy()
    mac.update(f"{recipient.type.value}\0{identity}".encode())
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
) -> Recipient | None:
    """The recipient, or None after noting what is wrong with it."""
    kind = RECIPIENT_TYPES.get(type)
    before = bool(problems)
    problems.text(name, f"{pointer}/name")
    if kind is None:
        problems.add(f"{pointer}/type", "must be email, did, url or phone", "not_allowed")
        return None
    if (problem := _PROBLEM_OF[kind](identity)) is not None:
        problems.add(f"{pointer}/identity", problem, "bad_identity")
        return None
    has_id = kind in (RecipientType.DID, RecipientType.URL)
    if has_id and hashed:
        problems.add(f"{pointer}/hashed", "must not be true: a DID or URL is the subject's id", "not_allowed")
        return None
    if problems and not before:
        return None
    if kind is RecipientType.PHONE:
        identity = normalised_phone(identity)
    elif kind is RecipientType.EMAIL:
        identity = composed(identity)
    return Recipient(type=kind, identity=identity, hashed=not has_id and hashed is not False, name=name)
