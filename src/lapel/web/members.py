"""Read members of JSON-LD documents for a page: a value of the wrong type counts as missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lapel.domain.json import JsonObject, JsonValue

__all__ = ["as_list", "as_object", "as_text"]


def as_object(value: JsonValue) -> JsonObject:
    """Return the value if it is an object, otherwise an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: JsonValue) -> Sequence[JsonValue]:
    """Return the values as a list: JSON-LD writes a single one without a list."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value] if value is not None else []
    return value


def as_text(value: JsonValue) -> str | None:
    """Return the value if it is a text with more than white space, otherwise None."""
    return value if isinstance(value, str) and value.strip() else None
