"""JSON read strictly into shapes; everything that is wrong with it at once, in words that say what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import UnionType
from typing import Annotated, Final, TypeVar, Union, cast, get_args, get_origin

from msgspec import Struct, ValidationError, convert, inspect, structs

from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import FieldError, InvalidInput
from lapel.openbadges.problems import and_more

__all__ = ["first_error", "merged", "read_shape", "shape_error"]

Shape = TypeVar("Shape")

_MOST: Final = 100
_DEEPEST: Final = 8
"""So deep the walk looks for what is wrong; what is further inside is told one at a time."""
_AT: Final = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_STEP: Final = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")
_BEGINNINGS: Final = (
    ("Object missing required field", "missing"),
    ("Object contains unknown field", "unknown_member"),
    ("Invalid enum value", "not_allowed"),
    ("Invalid RFC3339", "bad_time"),
)
_OTHER_KIND: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`$")
_IN_JSON: Final = {
    "str": "a string",
    "int": "a number",
    "float": "a number",
    "bool": "a boolean",
    "datetime": "a date and time",
    "date": "a date",
    "array": "an array",
    "object": "an object",
}


def merged(target: JsonValue, patch: object) -> JsonValue:
    """`target` after a JSON Merge Patch (RFC 7396, 2)."""
    if not isinstance(patch, Mapping):
        return cast("JsonValue", patch)
    found: dict[str, JsonValue] = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


def read_shape(value: object, wanted: type[Shape], pointer: str = "") -> Shape:
    """A decoded JSON value as a `wanted`.

    Raises:
        InvalidInput: with a FieldError for each thing that is wrong with it, at most a hundred; at `pointer`.
    """
    try:
        return convert(value, wanted)
    except ValidationError as error:
        raise shape_error(value, wanted, pointer, error) from error


def shape_error(value: object, wanted: object, pointer: str, cause: ValidationError) -> InvalidInput:
    """What is wrong with a decoded JSON value that is no `wanted`, all of it."""
    errors: list[FieldError] = []
    for found in _errors(value, wanted, pointer, 0):
        errors.append(found)
        if len(errors) == _MOST:
            break
    return _said(errors or [_told(str(cause), wanted, pointer)])


def first_error(wanted: object, cause: ValidationError) -> InvalidInput:
    """What `cause` says is wrong."""
    return _said([_told(str(cause), wanted, "")])


def _said(errors: Sequence[FieldError]) -> InvalidInput:
    first = errors[0]
    sentence = (
        f"{first.pointer or 'The body'}{' ' if first.detail.startswith(('must', 'is ')) else ': '}{first.detail}."
    )
    if len(errors) > 1:
        sentence += f" {and_more(len(errors) - 1)}"
    return InvalidInput(sentence, errors=errors)


def _errors(value: object, hint: object, pointer: str, depth: int) -> Iterator[FieldError]:
    try:
        convert(value, hint)
    except ValidationError as error:
        inner = None if depth == _DEEPEST else _inner(value, hint, pointer)
        if inner is None:
            yield _told(str(error), hint, pointer)
            return
        missing, parts = inner
        yield from missing
        for part, kind, where in parts:
            yield from _errors(part, kind, where, depth + 1)


def _inner(
    value: object, hint: object, pointer: str
) -> tuple[Sequence[FieldError], Sequence[tuple[object, object, str]]] | None:
    """What is wrong with the value's own members, and each of its parts with its type; None for what has none."""
    for kind in _alternatives(hint):
        if isinstance(value, Mapping) and isinstance(kind, type) and issubclass(kind, Struct):
            return _members(cast("JsonObject", value), kind, pointer)
        if isinstance(value, list) and get_origin(kind) is list:
            (item,) = get_args(kind)
            return (), [(each, item, f"{pointer}/{number}") for number, each in enumerate(value)]
        if isinstance(value, Mapping) and get_origin(kind) is dict:
            _, item = get_args(kind)
            return (), [(each, item, f"{pointer}/{_escaped(name)}") for name, each in value.items()]
    return None


def _members(
    value: JsonObject, kind: type[Struct], pointer: str
) -> tuple[Sequence[FieldError], Sequence[tuple[object, object, str]]]:
    fields = {field.encode_name: field for field in structs.fields(kind)}
    wrong = [
        FieldError(f"{pointer}/{name}", "is missing", "missing")
        for name, field in fields.items()
        if field.required and name not in value
    ]
    if kind.__struct_config__.forbid_unknown_fields:
        known = {name.lower(): name for name in fields}
        wrong += [
            FieldError(f"{pointer}/{_escaped(name)}", _unknown(name, known), "unknown_member")
            for name in islice((name for name in value if name not in fields), _MOST)
        ]
    return wrong, [(value[name], field.type, f"{pointer}/{name}") for name, field in fields.items() if name in value]


def _unknown(name: str, known: Mapping[str, str]) -> str:
    """What is said of a member that there is not: also which one was meant, if it only goes on or is written otherwise.

    Args:
        known: the names of those that there are, by the same in small letters.
    """
    plain = name[:80].replace("_", "").replace("-", "").lower()
    meant = ""
    if plain.startswith(tuple(known)):
        meant = max((small for small in known if plain.startswith(small)), key=len)
    return "is not a known member" + (f": perhaps you mean `{known[meant]}`" if meant else "")


def _alternatives(hint: object) -> Iterator[object]:
    if get_origin(hint) is Annotated:
        yield from _alternatives(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for each in get_args(hint):
            yield from _alternatives(each)
    else:
        yield hint


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _told(message: str, hint: object, pointer: str) -> FieldError:
    """msgspec's message, such as ``Expected `str`, got `int` - at `$.recipient.identity```, as a FieldError."""
    found = _AT.search(message)
    detail = message[: found.start()] if found else message
    steps = [index or name for index, name in _STEP.findall(found[1])] if found else []
    pointer += "".join(f"/{step}" for step in steps)
    code = next((meaning for beginning, meaning in _BEGINNINGS if detail.startswith(beginning)), "invalid_type")
    if code in ("missing", "unknown_member") and (name := re.search(r"`([^`]*)`", detail)):
        pointer = f"{pointer}/{_escaped(name[1])}"
        detail = "is missing" if code == "missing" else "is not a known member"
    elif code == "not_allowed" and not steps and (choices := _offered(inspect.type_info(hint))):
        detail = f"must be one of {', '.join(choices)}"
    elif code == "bad_time":
        detail = "must be a date and time with an offset (RFC 3339), such as 2026-01-31T12:00:00Z"
    elif kinds := _OTHER_KIND.match(detail):
        wanted = [_IN_JSON.get(kind, kind) for kind in kinds[1].split(" | ") if kind != "null"]
        detail = f"must be {' or '.join(wanted)}, not {_IN_JSON.get(kinds[2], kinds[2])}"
    return FieldError(pointer=pointer, detail=detail, code=code)


def _offered(kind: inspect.Type) -> list[str]:
    """The values that an enumeration has on offer."""
    match kind:
        case inspect.Metadata():
            offered = (kind.extra_json_schema or {}).get("enum")
            return [str(choice) for choice in offered] if offered else _offered(kind.type)
        case inspect.UnionType():
            return [choice for member in kind.types for choice in _offered(member)]
        case inspect.EnumType():
            return [str(choice.value) for choice in kind.cls]
        case inspect.LiteralType():
            return [str(choice) for choice in kind.values]
    return []
