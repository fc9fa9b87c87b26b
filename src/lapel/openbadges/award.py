"""A validated request to award an achievement, ready to be written as a credential."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from lapel.domain.credential import CredentialFormat, JwtAlgorithm
from lapel.domain.json import JsonObject
from lapel.openbadges.identity import Recipient

__all__ = ["Award"]


class Award(Struct, frozen=True):
    """One achievement for one recipient.

    Attributes:
        evidence, results: in wire form, from `checks`.
        members, subject_members: further members of the credential and of its subject, in wire form.
    """

    recipient: Recipient
    valid_from: datetime
    valid_until: datetime | None
    narrative: str | None
    evidence: Sequence[JsonObject]
    results: Sequence[JsonObject]
    members: JsonObject
    subject_members: JsonObject
    format: CredentialFormat
    jwt_algorithm: JwtAlgorithm | None = None
