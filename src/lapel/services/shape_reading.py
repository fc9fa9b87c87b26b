"""Reads JSON strictly into shapes, and reports every problem at once, with what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from types import UnionType
from typing import Annotated, Final, TypeVar, Union, cast, get_args, get_origin

from msgspec import Struct, ValidationError, convert, inspect, structs

from lapel.domain.json import JsonObject
from lapel.errors import FieldError, InvalidInput, pointer_step
from lapel.openbadges.problems import and_more

__all__ = ["read_shape", "shape_error"]

Shape = TypeVar("Shape")

_MAX_ERRORS: Final = 100
_MAX_PARTS: Final = 10_000
"""How many parts are examined: many times as many as anything has whose arrays are not too long."""
_MAX_DEPTH: Final = 8
"""How deep the walk goes; of a part that is nested deeper, only the first error is reported."""
_PATH: Final = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_PATH_STEP: Final = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")
_CODES_BY_PREFIX: Final = (
    ("Object missing required field", "missing"),
    ("Object contains unknown field", "unknown_member"),
    ("Invalid enum value", "not_allowed"),
    ("Invalid RFC3339", "bad_time"),
)
_WRONG_TYPE: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`$")
_JSON_NAMES: Final = {
    "str": "a string",
    "int": "a number",
    "float": "a number",
    "bool": "a boolean",
    "datetime": "a date and time",
    "date": "a date",
    "array": "an array",
    "object": "an object",
}


def read_shape(value: object, shape: type[Shape], pointer: str = "") -> Shape:
    """Convert a decoded JSON value to `shape`.

    Raises:
        InvalidInput: with a FieldError, below `pointer`, for each problem, at most a hundred.
    """
    try:
        return convert(value, shape)
    except ValidationError as error:
        raise shape_error(value, shape, pointer, error) from error


def shape_error(value: object, shape: object, pointer: str, cause: ValidationError) -> InvalidInput:
    """Return the error with every problem of a decoded JSON value that cannot be converted to `shape`."""
    examined = islice(_errors(value, shape, pointer, 0), _MAX_PARTS)
    errors = list(islice(filter(None, examined), _MAX_ERRORS)) or [_field_error(str(cause), shape, pointer)]
    first = errors[0]
    sentence = (
        f"{first.pointer or 'The body'}{' ' if first.detail.startswith(('must', 'is ')) else ': '}{first.detail}."
    )
    if len(errors) > 1:
        sentence += f" {and_more(len(errors) - 1)}"
    return InvalidInput(sentence, errors=errors)


def _errors(value: object, hint: object, pointer: str, depth: int) -> Iterator[FieldError | None]:
    """Yield the errors of each part, and None for a part without any."""
    try:
        convert(value, hint)
    except ValidationError as error:
        inner = None if depth == _MAX_DEPTH else _inner(value, hint, pointer)
        if inner is None:
            yield _field_error(str(error), hint, pointer)
            return
        member_errors, parts = inner
        yield from member_errors
        for part, part_hint, part_pointer in parts:
            yield from _errors(part, part_hint, part_pointer, depth + 1)
    else:
        yield None


def _inner(
    value: object, hint: object, pointer: str
) -> tuple[Sequence[FieldError], Iterable[tuple[object, object, str]]] | None:
    """Return the errors about member names, and each part with its type and pointer; None for a value without parts."""
    for kind in _alternatives(hint):
        if isinstance(value, Mapping) and isinstance(kind, type) and issubclass(kind, Struct):
            return _members(cast("JsonObject", value), kind, pointer)
        if isinstance(value, list) and get_origin(kind) is list:
            (item,) = get_args(kind)
            return (), ((each, item, f"{pointer}/{number}") for number, each in enumerate(value))
        if isinstance(value, Mapping) and get_origin(kind) is dict:
            _, item = get_args(kind)
            return (), ((each, item, f"{pointer}/{pointer_step(name)}") for name, each in value.items())
    return None


def _members(
    value: JsonObject, kind: type[Struct], pointer: str
) -> tuple[Sequence[FieldError], Iterable[tuple[object, object, str]]]:
    fields = _fields(kind)
    errors = [
        FieldError(f"{pointer}/{name}", "is missing", "missing")
        for name, field in fields.items()
        if field.required and name not in value
    ]
    if kind.__struct_config__.forbid_unknown_fields:
        known = {name.lower(): name for name in fields}
        errors += [
            FieldError(f"{pointer}/{pointer_step(name)}", _unknown(name, known), "unknown_member")
            for name in islice((name for name in value if name not in fields), _MAX_ERRORS)
        ]
    return errors, [(value[name], field.type, f"{pointer}/{name}") for name, field in fields.items() if name in value]


@cache
def _fields(kind: type[Struct]) -> Mapping[str, structs.FieldInfo]:
    return {field.encode_name: field for field in structs.fields(kind)}


def _unknown(name: str, known: Mapping[str, str]) -> str:
    """Return the detail for an unknown member. It suggests a known one that differs in case or is a prefix of it.

    Args:
        known: the known names, by their lower-case form.
    """
    plain = name[:80].replace("_", "").replace("-", "").lower()
    suggestion = ""
    if plain.startswith(tuple(known)):
        suggestion = max((lower for lower in known if plain.startswith(lower)), key=len)
    return "is not a known member" + (f": perhaps you mean `{known[suggestion]}`" if suggestion else "")


def _alternatives(hint: object) -> Iterator[object]:
    if get_origin(hint) is Annotated:
        yield from _alternatives(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        for each in get_args(hint):
            yield from _alternatives(each)
    else:
        yield hint


def _field_error(message: str, hint: object, pointer: str) -> FieldError:
    """Turn msgspec's message, such as ``Expected `str`, got `int` - at `$.recipient.identity```, into a FieldError."""
    path = _PATH.search(message)
    detail = message[: path.start()] if path else message
    steps = [index or name for index, name in _PATH_STEP.findall(path[1])] if path else []
    pointer += "".join(f"/{step}" for step in steps)
    code = next((code for prefix, code in _CODES_BY_PREFIX if detail.startswith(prefix)), "invalid_type")
    if code in ("missing", "unknown_member") and (name := re.search(r"`([^`]*)`", detail)):
        pointer = f"{pointer}/{pointer_step(name[1])}"
        detail = "is missing" if code == "missing" else "is not a known member"
    elif code == "not_allowed" and not steps and (choices := _choices(inspect.type_info(hint))):
        detail = f"must be one of {', '.join(choices)}"
    elif code == "bad_time":
        detail = "must be a date and time with an offset (RFC 3339), such as 2026-01-31T12:00:00Z"
    elif types := _WRONG_TYPE.match(detail):
        expected = [_JSON_NAMES.get(name, name) for name in types[1].split(" | ") if name != "null"]
        detail = f"must be {' or '.join(expected)}, not {_JSON_NAMES.get(types[2], types[2])}"
    return FieldError(pointer=pointer, detail=detail, code=code)


def _choices(kind: inspect.Type) -> list[str]:
    """Return the values of an enumeration."""
    match kind:
        case inspect.Metadata():
            listed = (kind.extra_json_schema or {}).get("enum")
            return [str(choice) for choice in listed] if listed else _choices(kind.type)
        case inspect.UnionType():
            return [choice for member in kind.types for choice in _choices(member)]
        case inspect.EnumType():
            return [str(choice.value) for choice in kind.cls]
        case inspect.LiteralType():
            return [str(choice) for choice in kind.values]
    return []
