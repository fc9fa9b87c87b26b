"""Members of JSON-LD documents, as a page reads them: what is not of its kind is as good as not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lapel.domain.json import JsonObject, JsonValue

__all__ = ["as_list", "as_object", "as_text"]


def as_object(value: JsonValue) -> JsonObject:
    """The object that it is, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: JsonValue) -> Sequence[JsonValue]:
    """Its values: JSON-LD writes a single one without a list."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [value] if value is not None else []
    return value


def as_text(value: JsonValue) -> str | None:
    """The text that it is, unless nothing can be read there."""
    return value if isinstance(value, str) and value.strip() else None
