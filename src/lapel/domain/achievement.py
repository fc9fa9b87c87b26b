"""Achievements: what a recipient can earn."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct, field

from lapel.domain.json import JsonObject

__all__ = ["Achievement"]


class Achievement(Struct, frozen=True, kw_only=True):
    """One version of an achievement (OB 3.0, Achievement class).

    A change creates a new version; issued credentials stay with theirs.

    Attributes:
        version: starts at 1 and grows by one with each change.
        criteria_id: URL of the criteria; this or `criteria_narrative` is set.
        achievement_type: a value of OB 3.0's AchievementType, or ``ext:…``.
        details: further members as they appear on the wire (``alignment``, ``resultDescription``, …).
        suspendable: whether credentials issued for this version can be suspended and reinstated.
    """

    id: UUID
    organisation_id: UUID
    issuer_id: UUID
    version: int
    name: str
    description: str
    created_at: datetime
    updated_at: datetime
    criteria_id: str | None = None
    criteria_narrative: str | None = None
    achievement_type: str | None = None
    tags: tuple[str, ...] = ()
    image_id: UUID | None = None
    details: JsonObject = field(default_factory=dict)
    suspendable: bool = False
