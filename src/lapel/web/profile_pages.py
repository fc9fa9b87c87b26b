"""The pages of an achievement and of an issuer, to which a credential's page links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, object_of, objects
from lapel.web import parts
from lapel.web.links import web_link
from lapel.web.pages import render
from lapel.web.parts import as_text

__all__ = ["render_achievement_page", "render_issuer_page"]

_FACTS = (
    ("achievementType", "Kind"),
    ("fieldOfStudy", "Field of study"),
    ("specialization", "Specialisation"),
    ("humanCode", "Code"),
    ("inLanguage", "Language"),
    ("version", "Edition"),
)
_NAMES = (("official", "Official"), ("phone", "Telephone"))


def render_achievement_page(
    achievement: Achievement,
    document: JsonObject,
    *,
    issuer_name: str,
    newest: int,
    names: Mapping[str, str],
    addresses: Addresses,
) -> bytes:
    """Render the page of one version of an achievement.

    Args:
        document: the OB 3.0 Achievement.
        newest: the number of the newest version.
        names: the names of related achievements, as far as they are known, by URL.
    """
    criteria = object_of(document.get("criteria"))
    facts = [*_texts(document, _FACTS)]
    if credits_ := parts.credits_of(document.get("creditsAvailable")):
        facts.append({"name": "Credits", "value": credits_})
    if creator := as_text(object_of(document.get("creator")).get("name")):
        facts.append({"name": "Created by", "value": creator})
    if newest > 1:
        facts.append({"name": "Version", "value": str(achievement.version)})
    return render(
        "achievement.html",
        title=achievement.name,
        description=achievement.description,
        url=addresses.achievement(achievement.id),
        # Relative to the page's own address, so that the page works behind any path prefix.
        image=f"{achievement.id}/image?version={achievement.version}",
        image_url=f"{addresses.achievement_image(achievement.id)}?version={achievement.version}",
        newest=str(achievement.id) if achievement.version < newest else None,
        issuer_name=issuer_name,
        issuer_link=addresses.issuer(achievement.issuer_id),
        facts=facts,
        criteria_text=as_text(criteria.get("narrative")),
        criteria_link=web_link(criteria.get("id")),
        alignments=[parts.alignment(item) for item in objects(document.get("alignment"))],
        results=[_result(item) for item in objects(document.get("resultDescription"))],
        related=[*filter(None, (parts.related(item, names) for item in objects(document.get("related"))))],
        endorsements=[*parts.endorsements([document])],
        tags=achievement.tags,
        language=as_text(document.get("inLanguage")),
    )


def render_issuer_page(
    issuer: Issuer, document: JsonObject, achievements: Sequence[Achievement], *, more: bool, addresses: Addresses
) -> bytes:
    """Render the page of an issuer.

    Args:
        document: the OB 3.0 Profile.
        achievements: its newest achievements.
        more: it has more achievements than these.
    """
    return render(
        "issuer.html",
        title=issuer.name,
        description=issuer.description,
        url=addresses.issuer(issuer.id),
        image=f"../images/{issuer.image_id}" if issuer.image_id else None,
        image_url=addresses.image(issuer.image_id) if issuer.image_id else None,
        facts=[*_texts(document, _NAMES)],
        site=web_link(issuer.url),
        email=issuer.email,
        did=issuer.did,
        endorsements=[*parts.endorsements([document])],
        achievements=[
            {
                "name": each.name,
                "link": f"../achievements/{each.id}",
                "text": each.description,
                "language": as_text(each.details.get("inLanguage")),
            }
            for each in achievements
        ],
        more=f"{issuer.id}/achievements" if more else None,
    )


def _texts(document: JsonObject, wanted: Sequence[tuple[str, str]]) -> Iterator[dict[str, str]]:
    for member, name in wanted:
        if value := as_text(document.get(member)):
            yield {"name": name, "value": value}


def _result(item: JsonObject) -> dict[str, str | None]:
    """Convert a description of a result: its name, and the values that it can have."""
    levels = [as_text(level.get("name")) for level in objects(item.get("rubricCriterionLevel"))]
    values = [as_text(value) for value in as_list(item.get("allowedValue"))] or levels
    return {
        "name": as_text(item.get("name")) or "Result",
        "can_be": ", ".join(filter(None, values)) or _range(item),
    }


def _range(item: JsonObject) -> str | None:
    minimum, maximum = as_text(item.get("valueMin")), as_text(item.get("valueMax"))
    if minimum and maximum:
        return f"{minimum} to {maximum}"
    if minimum:
        return f"at least {minimum}"
    return f"at most {maximum}" if maximum else None
