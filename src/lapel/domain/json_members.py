"""Read members of untrusted JSON without relying on their types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from lapel.domain.json import JsonObject, JsonValue

__all__ = ["absolute_iri", "as_list", "first_text", "id_of", "object_of", "objects", "text_of", "types_of"]

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]+").fullmatch


def as_list(value: JsonValue) -> Sequence[JsonValue]:
    """Return the value as a list, as JSON-LD reads it: null is an empty list, and any other value a list of itself."""
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    return (value,)


def objects(value: JsonValue) -> Sequence[JsonObject]:
    """Return the objects in `as_list` of the value."""
    return [item for item in as_list(value) if isinstance(item, Mapping)]


def object_of(value: JsonValue) -> JsonObject:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text_of(value: JsonValue) -> str | None:
    """Return the value if it is a string that is not empty."""
    return value if isinstance(value, str) and value else None


def first_text(value: JsonValue) -> str | None:
    """Return the value's first string, which may be in a language map or in ``@value``."""
    for item in as_list(value):
        texts = (item.get("@value"), *item.values()) if isinstance(item, Mapping) else (item,)
        if (text := next(filter(None, map(text_of, texts)), None)) is not None:
            return text
    return None


def types_of(value: JsonObject) -> frozenset[str]:
    """Return the strings in ``type``."""
    return frozenset(item for item in as_list(value.get("type")) if isinstance(item, str))


def id_of(value: JsonValue) -> str | None:
    """Return the id of a node, which is written as a string or as an object with an ``id``."""
    return text_of(value.get("id")) if isinstance(value, Mapping) else text_of(value)


def absolute_iri(value: JsonValue) -> bool:
    """Return whether the value is a string with a scheme and without characters that are not allowed in IRIs."""
    return isinstance(value, str) and _ABSOLUTE(value) is not None
