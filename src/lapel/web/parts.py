"""Convert members of badges to what the templates show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lapel.credentials.date_time import parse_timestamp
from lapel.credentials.jose import vc_jwt
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, object_of, objects
from lapel.errors import LapelError
from lapel.web.links import web_link
from lapel.web.pages import day_of

__all__ = ["alignment", "as_text", "credits_of", "endorsements", "evidence", "facts", "related", "result"]

_CREDITS_LIMIT = 10**100


def as_text(value: JsonValue) -> str | None:
    """Return the value if it is a text with more than white space, otherwise None."""
    return value if isinstance(value, str) and value.strip() else None


def alignment(item: JsonObject) -> dict[str, str | None]:
    """Convert an alignment with a node of a framework (OB 3.0, Alignment class)."""
    link = web_link(item.get("targetUrl"))
    name = as_text(item.get("targetName")) or link or "A framework"
    framework = as_text(item.get("targetFramework"))
    return {"name": name, "link": link, "framework": framework, "text": as_text(item.get("targetDescription"))}


def evidence(item: JsonObject) -> dict[str, str | None]:
    """Convert a piece of evidence (OB 3.0, Evidence class). `text` is its narrative, the longer of its two texts."""
    link = web_link(item.get("id"))
    return {
        "name": as_text(item.get("name")) or link or "Evidence",
        "link": link,
        "genre": as_text(item.get("genre")),
        "description": as_text(item.get("description")),
        "text": as_text(item.get("narrative")),
    }


def facts(subject: JsonObject) -> Iterator[dict[str, str]]:
    """Convert the subject's less common members to pairs of a label and a value."""
    for member, name in (("role", "Role"), ("licenseNumber", "Licence number"), ("term", "Term")):
        if text := as_text(subject.get(member)):
            yield {"name": name, "value": text}
    for member, name in (("activityStartDate", "Begun"), ("activityEndDate", "Ended")):
        if time := parse_timestamp(subject.get(member)):
            yield {"name": name, "value": day_of(time)}
    if text := credits_of(subject.get("creditsEarned")):
        yield {"name": "Credits", "value": text}
    if text := as_text(object_of(subject.get("source")).get("name")):
        yield {"name": "Assessed by", "value": text}


def credits_of(value: JsonValue) -> str | None:
    """Return a number of credits as text, or None if it is not a number."""
    # The format `g` converts to float, which fails for very large integers.
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _CREDITS_LIMIT:
        return f"{value:g}"
    return None


def related(item: JsonObject, names: Mapping[str, str]) -> dict[str, str | None] | None:
    """Convert a related achievement (OB 3.0, Related class), of which the URL is known, and its name from `names`."""
    url, language, version = (as_text(item.get(name)) for name in ("id", "inLanguage", "version"))
    if url is None:
        return None
    words = filter(None, (language, version and f"edition {version}"))
    return {"name": names.get(url, url), "link": web_link(url), "words": ", ".join(words)}


def result(item: JsonObject, achievement: JsonObject) -> dict[str, str]:
    """Convert a result (OB 3.0, Result class), with the names from the achievement's descriptions of results."""
    descriptions = objects(achievement.get("resultDescription"))
    description = _with_id(descriptions, item.get("resultDescription"))
    levels = [level for each in descriptions for level in objects(each.get("rubricCriterionLevel"))]
    level = _with_id(levels, item.get("achievedLevel"))
    value = as_text(item.get("value")) or as_text(level.get("name")) or as_text(item.get("achievedLevel"))
    return {
        "name": as_text(description.get("name")) or "Result",
        "value": ", ".join(filter(None, (value, as_text(item.get("status"))))) or "reached",
    }


def endorsements(holders: Sequence[JsonObject]) -> Iterator[dict[str, str | None]]:
    """Convert the endorsements in each of `holders`: a credential, its achievement, its issuer."""
    for holder in holders:
        embedded = objects(holder.get("endorsement"))
        for item in (*embedded, *map(_decode_jwt, as_list(holder.get("endorsementJwt")))):
            link, issuer = web_link(item.get("id")), item.get("issuer")
            name = as_text(object_of(issuer).get("name")) or as_text(issuer) or as_text(object_of(issuer).get("id"))
            if name is not None:
                comment = as_text(object_of(item.get("credentialSubject")).get("endorsementComment"))
                yield {"name": name, "link": link, "text": comment}


def _with_id(items: Sequence[JsonObject], wanted: JsonValue) -> JsonObject:
    return next((item for item in items if wanted is not None and item.get("id") == wanted), {})


def _decode_jwt(token: JsonValue) -> JsonObject:
    try:
        return vc_jwt.decode(as_text(token) or "").credential
    except LapelError:
        return {}
