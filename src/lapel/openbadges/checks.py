"""The rules for members of OB 3.0 objects.

A function for one value notes its problems; a function for objects also returns their wire form: with types, arrays
where the standard has them, and no nulls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar, cast

import msgspec

from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges import shapes, vocabulary
from lapel.openbadges.problems import LONG, Problems
from lapel.openbadges.syntax import iri_problem, language_problem, number_problem, uri_problem, url_problem

__all__ = [
    "address",
    "alignments",
    "check_type",
    "evidence",
    "iri",
    "language",
    "members_of",
    "number_of_credits",
    "other_identifiers",
    "related",
    "result_descriptions",
    "results",
    "tags",
    "url",
    "value_problem",
    "wire_array",
    "word",
]

Shape = TypeVar("Shape", bound=msgspec.Struct)
_Members = dict[str, JsonValue]

_LONG_MEMBERS: Final = frozenset({"narrative", "description", "targetDescription"})


# --- single values ---


def url(problems: Problems, value: str | None, pointer: str) -> None:
    """Check a web address."""
    if value is not None and (problem := url_problem(value)):
        problems.add(pointer, problem, "bad_url")


def iri(problems: Problems, value: str | None, pointer: str) -> None:
    """Check an absolute IRI."""
    if value is not None and (problem := iri_problem(value)):
        problems.add(pointer, problem, "bad_iri")


def language(problems: Problems, value: str | None, pointer: str) -> None:
    """Check a language code."""
    if value is not None and (problem := language_problem(value)):
        problems.add(pointer, problem, "bad_language")


def word(
    problems: Problems, value: str | None, pointer: str, allowed: frozenset[str], *, extensible: bool = True
) -> None:
    """Check a term of a vocabulary, or an extension of it."""
    if value is None or value in allowed or (extensible and vocabulary.is_extension(value)):
        return
    extension = ", or ext: and a name of your own" if extensible else ""
    problems.add(pointer, f"must be one of {', '.join(sorted(allowed))}{extension}", "not_allowed")


def check_type(problems: Problems, value: shapes.TypeName, pointer: str, expected: str) -> None:
    """Check ``type`` if it is given."""
    types = value if isinstance(value, list) else [value]
    if value is not None and types != [expected]:
        problems.add(f"{pointer}/type", f"must be {expected}", "not_allowed")


def number(problems: Problems, value: float, pointer: str) -> int | float:
    """Check a number and return it, as an int if it is whole, since that is how implementations agree."""
    if problem := number_problem(value):
        problems.add(pointer, problem, "bad_number")
        return 0
    return int(value) if value == int(value) else value


def number_of_credits(problems: Problems, value: float, pointer: str) -> int | float:
    """Check a number of credits and return it as `number` does."""
    if value < 0:
        problems.add(pointer, "must not be negative", "bad_number")
    return number(problems, value, pointer)


# --- objects ---


def members_of(problems: Problems, item: msgspec.Struct, pointer: str, type_: JsonValue) -> _Members:
    """Check an object's type and texts, and return its members under their wire names."""
    members = cast("_Members", msgspec.to_builtins(item))
    expected = type_[0] if isinstance(type_, list) else type_
    check_type(problems, cast("shapes.TypeName", members.pop("type", None)), pointer, cast("str", expected))
    for name, value in members.items():
        if isinstance(value, str):
            if name in _LONG_MEMBERS:
                problems.text(value, f"{pointer}/{name}", max_length=LONG)
            else:
                problems.text(value, f"{pointer}/{name}")
    identity = {"id": members.pop("id")} if "id" in members else {}
    return {**identity, "type": type_, **members}


def wire_array(
    problems: Problems,
    items: Sequence[Shape] | None,
    pointer: str,
    write: Callable[[Problems, Shape, str], JsonObject],
) -> list[JsonObject]:
    """Return the array in wire form. Equal items, or items with the same id, are an error: in RDF they are one."""
    if not items or not problems.count(items, pointer):
        return []
    written: list[JsonObject] = []
    ids: set[JsonValue] = set()
    for index, item in enumerate(items):
        wire = write(problems, item, f"{pointer}/{index}")
        if wire in written:
            problems.add(f"{pointer}/{index}", "must not repeat an earlier item", "repeated")
        elif "id" in wire and wire["id"] in ids:
            problems.add(f"{pointer}/{index}/id", "must not be the id of an earlier item", "repeated")
        ids.add(wire.get("id"))
        written.append(wire)
    return written


def _texts(problems: Problems, items: Sequence[str] | None, pointer: str) -> list[str]:
    """Check that texts differ from one another."""
    if not items or not problems.count(items, pointer):
        return []
    seen: set[str] = set()
    for index, item in enumerate(items):
        problems.text(item, f"{pointer}/{index}")
        if item in seen:
            problems.add(f"{pointer}/{index}", "must not repeat an earlier item", "repeated")
        seen.add(item)
    return list(items)


def _put(members: _Members, name: str, value: Sequence[JsonValue]) -> None:
    """Set the member, or remove it if `value` is empty."""
    if value:
        members[name] = list(value)
    else:
        members.pop(name, None)


def tags(problems: Problems, items: Sequence[str] | None, pointer: str) -> list[str]:
    """Check tags: at most a hundred, all different."""
    return _texts(problems, items, pointer)


def alignments(problems: Problems, items: Sequence[shapes.Alignment] | None, pointer: str) -> list[JsonObject]:
    """Check Alignment objects."""
    return wire_array(problems, items, pointer, _alignment)


def _alignment(problems: Problems, item: shapes.Alignment, pointer: str) -> JsonObject:
    url(problems, item.target_url, f"{pointer}/targetUrl")
    word(problems, item.target_type, f"{pointer}/targetType", vocabulary.ALIGNMENT_TARGET_TYPES)
    return members_of(problems, item, pointer, ["Alignment"])


def other_identifiers(
    problems: Problems, items: Sequence[shapes.IdentifierEntry] | None, pointer: str
) -> list[JsonObject]:
    """Check IdentifierEntry objects, whose ``type`` is a string in the standard, not an array."""
    return wire_array(problems, items, pointer, _identifier)


def _identifier(problems: Problems, item: shapes.IdentifierEntry, pointer: str) -> JsonObject:
    word(problems, item.identifier_type, f"{pointer}/identifierType", vocabulary.IDENTIFIER_TYPES)
    return members_of(problems, item, pointer, "IdentifierEntry")


def related(problems: Problems, items: Sequence[shapes.Related] | None, pointer: str) -> list[JsonObject]:
    """Check Related objects."""
    return wire_array(problems, items, pointer, _related)


def _related(problems: Problems, item: shapes.Related, pointer: str) -> JsonObject:
    iri(problems, item.id, f"{pointer}/id")
    language(problems, item.in_language, f"{pointer}/inLanguage")
    return members_of(problems, item, pointer, ["Related"])


def result_descriptions(
    problems: Problems, items: Sequence[shapes.ResultDescription] | None, pointer: str
) -> list[JsonObject]:
    """Check ResultDescription objects."""
    return wire_array(problems, items, pointer, _result_description)


def _result_description(problems: Problems, item: shapes.ResultDescription, pointer: str) -> JsonObject:
    iri(problems, item.id, f"{pointer}/id")
    iri(problems, item.required_level, f"{pointer}/requiredLevel")
    word(problems, item.result_type, f"{pointer}/resultType", vocabulary.RESULT_TYPES)
    members = members_of(problems, item, pointer, ["ResultDescription"])
    _put(members, "alignment", alignments(problems, item.alignment, f"{pointer}/alignment"))
    _put(members, "allowedValue", _texts(problems, item.allowed_value, f"{pointer}/allowedValue"))
    levels = wire_array(problems, item.rubric_criterion_level, f"{pointer}/rubricCriterionLevel", _level)
    _put(members, "rubricCriterionLevel", levels)
    if item.required_level is not None and item.required_level not in {level["id"] for level in levels}:
        problems.add(f"{pointer}/requiredLevel", "must be the id of one of its rubricCriterionLevels", "not_found")
    if problem := value_problem(item.required_value, members):
        problems.add(f"{pointer}/requiredValue", problem, "not_allowed")
    return members


def value_problem(value: JsonValue, description: JsonObject) -> str | None:
    """Return why a ResultDescription does not allow this value, or None. Bounds apply to numbers only."""
    allowed = description.get("allowedValue")
    if isinstance(value, str) and isinstance(allowed, Sequence) and allowed and value not in allowed:
        return "must be one of its description's allowedValue"
    try:
        lowest, number, highest = (
            float(str(bound))
            for bound in (description.get("valueMin", "-inf"), value, description.get("valueMax", "inf"))
        )
    except ValueError:
        return None
    return "must be between its description's valueMin and valueMax" if number < lowest or number > highest else None


def _level(problems: Problems, item: shapes.RubricCriterionLevel, pointer: str) -> JsonObject:
    iri(problems, item.id, f"{pointer}/id")
    members = members_of(problems, item, pointer, ["RubricCriterionLevel"])
    _put(members, "alignment", alignments(problems, item.alignment, f"{pointer}/alignment"))
    return members


def evidence(problems: Problems, items: Sequence[shapes.Evidence] | None, pointer: str) -> list[JsonObject]:
    """Check Evidence objects."""
    return wire_array(problems, items, pointer, _evidence)


def _evidence(problems: Problems, item: shapes.Evidence, pointer: str) -> JsonObject:
    if item.id is not None and (problem := uri_problem(item.id)):
        problems.add(f"{pointer}/id", problem, "bad_url")
    members = members_of(problems, item, pointer, ["Evidence"])
    if len(members) == 1:
        problems.add(pointer, "must have an id, a narrative, or another member", "empty")
    return members


def results(problems: Problems, items: Sequence[shapes.Result] | None, pointer: str) -> list[JsonObject]:
    """Check Result objects."""
    return wire_array(problems, items, pointer, _result)


def _result(problems: Problems, item: shapes.Result, pointer: str) -> JsonObject:
    iri(problems, item.achieved_level, f"{pointer}/achievedLevel")
    iri(problems, item.result_description, f"{pointer}/resultDescription")
    word(problems, item.status, f"{pointer}/status", vocabulary.RESULT_STATUSES, extensible=False)
    members = members_of(problems, item, pointer, ["Result"])
    if len(members) == 1:
        problems.add(pointer, "must have a value, a status or an achievedLevel", "empty")
    _put(members, "alignment", alignments(problems, item.alignment, f"{pointer}/alignment"))
    return members


def address(problems: Problems, item: shapes.Address, pointer: str) -> JsonObject:
    """Check an Address object."""
    members = members_of(problems, item, pointer, ["Address"])
    if item.geo is not None:
        check_type(problems, item.geo.type, f"{pointer}/geo", "GeoCoordinates")
        if not (abs(item.geo.latitude) <= 90 and abs(item.geo.longitude) <= 180):
            problems.add(f"{pointer}/geo", "must have a latitude of ±90 and a longitude of ±180", "bad_number")
        members["geo"] = {
            "type": "GeoCoordinates",
            "latitude": number(problems, item.geo.latitude, f"{pointer}/geo/latitude"),
            "longitude": number(problems, item.geo.longitude, f"{pointer}/geo/longitude"),
        }
    return members
