"""An achievement as OB 3.0 writes it."""

from __future__ import annotations

from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges.contexts import CREDENTIALS_V2, OPEN_BADGES
from lapel.openbadges.kept_members import wire_image, wire_members

__all__ = ["achievement_document", "achievement_image", "achievement_object"]


def achievement_image(achievement: Achievement, addresses: Addresses) -> str:
    """Where its image is: an uploaded one at an address whose content never changes, a drawn one at its own."""
    if achievement.image_id is not None:
        return addresses.image(achievement.image_id)
    return addresses.achievement_image(achievement.id)


def achievement_object(achievement: Achievement, addresses: Addresses) -> JsonObject:
    """The Achievement as it is embedded in a credential (OB 3.0, Achievement class)."""
    criteria: dict[str, JsonValue] = {}
    if achievement.criteria_id is not None:
        criteria["id"] = achievement.criteria_id
    if achievement.criteria_narrative is not None:
        criteria["narrative"] = achievement.criteria_narrative
    members: dict[str, JsonValue] = {
        "id": addresses.achievement(achievement.id),
        "type": ["Achievement"],
        "name": achievement.name,
        "description": achievement.description,
        "criteria": criteria,
        "image": wire_image(achievement_image(achievement, addresses), achievement.details),
    }
    if achievement.achievement_type is not None:
        members["achievementType"] = achievement.achievement_type
    if achievement.tags:
        members["tag"] = list(achievement.tags)
    return {**members, **wire_members(achievement.details)}


def achievement_document(achievement: Achievement, addresses: Addresses) -> JsonObject:
    """What the achievement's URL answers."""
    return {"@context": [CREDENTIALS_V2, OPEN_BADGES], **achievement_object(achievement, addresses)}
