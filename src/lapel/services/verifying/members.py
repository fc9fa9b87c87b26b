"""Reading members of a stranger's JSON without trusting their types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from lapel.domain.json import JsonObject, JsonValue

__all__ = ["absolute_iri", "as_list", "first_text", "id_of", "object_of", "objects", "text_of", "types_of"]

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]+").fullmatch


def as_list(value: JsonValue) -> Sequence[JsonValue]:
    """The value as JSON-LD means it: an array as it is, null as nothing, anything else as an array of itself."""
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    return (value,)


def objects(value: JsonValue) -> Sequence[JsonObject]:
    """The objects among `as_list` of the value."""
    return [item for item in as_list(value) if isinstance(item, Mapping)]


def object_of(value: JsonValue) -> JsonObject:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text_of(value: JsonValue) -> str | None:
    """The value if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def first_text(value: JsonValue) -> str | None:
    """A text, or the first of one that is given in several languages, as a language map or in ``@value``."""
    for item in as_list(value):
        texts = (item.get("@value"), *item.values()) if isinstance(item, Mapping) else (item,)
        if (found := next(filter(None, map(text_of, texts)), None)) is not None:
            return found
    return None


def types_of(value: JsonObject) -> frozenset[str]:
    """The names in ``type``."""
    return frozenset(item for item in as_list(value.get("type")) if isinstance(item, str))


def id_of(value: JsonValue) -> str | None:
    """The identifier of a node written as a text or as an object with an ``id``."""
    return text_of(value.get("id")) if isinstance(value, Mapping) else text_of(value)


def absolute_iri(value: JsonValue) -> bool:
    """Whether the value is a text with a scheme and without the characters that no IRI has."""
    return isinstance(value, str) and _ABSOLUTE(value) is not None
