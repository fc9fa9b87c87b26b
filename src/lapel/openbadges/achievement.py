"""The OB 3.0 form of an achievement."""

from __future__ import annotations

from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges.contexts import CREDENTIALS_V2, OPEN_BADGES
from lapel.openbadges.stored_members import wire_image, wire_members

__all__ = ["achievement_document", "achievement_image", "achievement_object", "criteria_of"]


def achievement_image(achievement: Achievement, addresses: Addresses) -> str:
    """Return the URL of the image: of an uploaded one, whose content never changes, or of the drawn one."""
    if achievement.image_id is not None:
        return addresses.image(achievement.image_id)
    return addresses.achievement_image(achievement.id)


def criteria_of(achievement: Achievement) -> dict[str, JsonValue]:
    """Return the members of its Criteria: a web address, a text, or both (OB 3.0, Criteria class)."""
    members = {"id": achievement.criteria_id, "narrative": achievement.criteria_narrative}
    return {name: text for name, text in members.items() if text is not None}


def achievement_object(achievement: Achievement, addresses: Addresses) -> JsonObject:
    """Return the Achievement that is embedded in a credential (OB 3.0, Achievement class)."""
    members: dict[str, JsonValue] = {
        "id": addresses.achievement(achievement.id),
        "type": ["Achievement"],
        "name": achievement.name,
        "description": achievement.description,
        "criteria": criteria_of(achievement),
        "image": wire_image(achievement_image(achievement, addresses), achievement.details),
    }
    if achievement.achievement_type is not None:
        members["achievementType"] = achievement.achievement_type
    if achievement.tags:
        members["tag"] = list(achievement.tags)
    return {**members, **wire_members(achievement.details)}


def achievement_document(achievement: Achievement, addresses: Addresses) -> JsonObject:
    """Return the document that the achievement's URL serves."""
    return {"@context": [CREDENTIALS_V2, OPEN_BADGES], **achievement_object(achievement, addresses)}
