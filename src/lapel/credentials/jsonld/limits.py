"""Size limits for documents that are given to a general JSON-LD processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lapel.credentials.jsonld.errors import DocumentTooLarge, JsonLdError
from lapel.credentials.jsonld.numeric import check_number
from lapel.domain.json import JsonObject, JsonValue

__all__ = ["MAX_CHARACTERS", "MAX_NESTING", "MAX_VALUES", "bounded_copy"]

MAX_NESTING: Final = 128
"""The maximum depth of nested objects and arrays together."""
MAX_VALUES: Final = 50_000
MAX_CHARACTERS: Final = 4_000_000
MAX_EXPANDED_CHARACTERS: Final = 100_000_000
"""The maximum after expansion: a prefix in an inline context can make each value as long as that context."""


def bounded_copy(document: JsonObject, *, strict_numbers: bool) -> dict[str, JsonValue]:
    """Copy a document to plain dicts and lists, if it is within the limits.

    Raises:
        DocumentTooLarge: it has too many values or characters, or is nested too deeply.
        UnsafeNumber, JsonLdError: a number that cannot be serialised; see `number_literal`.
    """
    counter = _Counter(strict_numbers)
    copy = counter.copy(document, 0)
    if counter.expanded_characters > MAX_EXPANDED_CHARACTERS:
        raise DocumentTooLarge
    if not isinstance(copy, dict):
        raise JsonLdError("a JSON-LD document is a JSON object")
    return copy


class _Counter:
    def __init__(self, strict_numbers: bool) -> None:
        self._strict = strict_numbers
        self._values = 0
        self._characters = 0
        self.expanded_characters = 0

    def copy(self, value: JsonValue, depth: int) -> JsonValue:
        self._values += 1
        if depth > MAX_NESTING or self._values > MAX_VALUES or self._characters > MAX_CHARACTERS:
            raise DocumentTooLarge
        if isinstance(value, str):
            self._characters += len(value)
            return value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            check_number(value, strict=self._strict)
            return value
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, Sequence):
            return self._array(value, depth)
        raise JsonLdError(f"{type(value).__name__} is not a type of JSON")

    def _object(self, value: JsonObject, depth: int) -> JsonValue:
        copy: dict[str, JsonValue] = {}
        values_before, context_characters = self._values, 0
        for name, member in value.items():
            self._characters += len(name)
            characters_before = self._characters
            try:
                copy[name] = self.copy(member, depth + 1)
            except JsonLdError as error:
                error.within(name)
                raise
            if name == "@context":
                context_characters = self._characters - characters_before - _length_of_urls(member)
        self.expanded_characters += context_characters * (self._values - values_before)
        return copy

    def _array(self, value: Sequence[JsonValue], depth: int) -> JsonValue:
        copy: list[JsonValue] = []
        for index, item in enumerate(value):
            try:
                copy.append(self.copy(item, depth + 1))
            except JsonLdError as error:
                error.within(index)
                raise
        return copy


def _length_of_urls(context: JsonValue) -> int:
    """Return the length of the context URLs, which do not make values longer."""
    items = context if isinstance(context, list) else [context]
    return sum(len(item) for item in items if isinstance(item, str))
