"""A JSON body, read strictly into a shape; what is wrong with it in words that say what would be right."""

from __future__ import annotations

import re
from typing import Final, TypeVar

from msgspec import DecodeError, ValidationError, inspect, json

from lapel.errors import FieldError, InvalidInput
from lapel.http.errors import EmptyBody, MalformedRequest

__all__ = ["read_body"]

Shape = TypeVar("Shape")

_AT: Final = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_STEP: Final = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_BEGINNINGS: Final = (
    ("Object missing required field", "missing"),
    ("Object contains unknown field", "unknown_member"),
    ("Invalid enum value", "not_allowed"),
    ("Invalid RFC3339", "bad_time"),
)


def read_body(body: bytes, wanted: type[Shape]) -> Shape:
    """The body as a `wanted`.

    Raises:
        MalformedRequest: it is empty, or not JSON.
        InvalidInput: a member is missing, unknown or of the wrong type; the FieldError points at it.
    """
    if not body.strip():
        raise EmptyBody
    try:
        return json.decode(body, type=wanted)
    except ValidationError as error:
        raise _invalid_member(str(error), wanted) from error
    except UnicodeDecodeError as error:
        raise MalformedRequest("The body is not UTF-8.", hint="JSON is always UTF-8 (RFC 8259, 8.1).") from error
    except DecodeError as error:
        raise MalformedRequest(_why_no_json(str(error), body)) from error
    except RecursionError as error:
        raise MalformedRequest("The body's JSON is nested too deeply.") from error


def _why_no_json(message: str, body: bytes) -> str:
    if "surrogate" in message or ("truncated" in message and _is_json_but_for_surrogates(body)):
        return "A text in the body has half of a surrogate pair (such as \\ud800), which is no character."
    if "truncated" in message:
        return "The body is not JSON: it ends too early."
    return f"The body is not JSON: {message.removeprefix('JSON is malformed: ')}."


def _is_json_but_for_surrogates(body: bytes) -> bool:
    """Of half a pair at the end of a text the decoder says that the text ends too early."""
    if not _SURROGATE.search(body):
        return False
    try:
        json.decode(_SURROGATE.sub(b"?", body))
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _invalid_member(message: str, wanted: type[object]) -> InvalidInput:
    """msgspec's message, such as ``Expected `str`, got `int` - at `$.recipient.identity```, as a FieldError."""
    found = _AT.search(message)
    detail = message[: found.start()] if found else message
    steps = [index or name for index, name in _STEP.findall(found[1])] if found else []
    pointer = "".join(f"/{step}" for step in steps)
    code = next((meaning for beginning, meaning in _BEGINNINGS if detail.startswith(beginning)), "invalid_type")
    if code in ("missing", "unknown_member") and (name := re.search(r"`([^`]*)`", detail)):
        pointer = f"{pointer}/{name[1].replace('~', '~0').replace('/', '~1')}"
    elif code == "not_allowed" and (choices := _choices(wanted, steps)):
        detail = f"must be one of {', '.join(choices)}"
    elif code == "bad_time":
        detail = "must be a date and time with an offset (RFC 3339), such as 2026-01-31T12:00:00Z"
    sentence = f"{pointer or 'The body'}{' ' if detail.startswith('must') else ': '}{detail}."
    return InvalidInput(sentence, errors=[FieldError(pointer=pointer, detail=detail, code=code)])


def _choices(wanted: type[object], steps: list[str]) -> list[str]:
    """The values that the enumeration at those steps has on offer."""
    kinds = [inspect.type_info(wanted)]
    for step in steps:
        kinds = [inner for kind in kinds for inner in _inside(kind, step)]
    return [choice for kind in kinds for choice in _offered(kind)]


def _inside(kind: inspect.Type, step: str) -> list[inspect.Type]:
    match kind:
        case inspect.Metadata():
            return _inside(kind.type, step)
        case inspect.UnionType():
            return [inner for member in kind.types for inner in _inside(member, step)]
        case inspect.StructType():
            return [field.type for field in kind.fields if field.encode_name == step]
        case inspect.ListType():
            return [kind.item_type]
    return []


def _offered(kind: inspect.Type) -> list[str]:
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
