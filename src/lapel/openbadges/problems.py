"""Collects all problems of an input, so that they are reported together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lapel.domain.text import check_text
from lapel.errors import FieldError, InvalidInput, LapelError

__all__ = ["LONG", "SHORT", "Problems", "and_more", "error_at", "has_control_characters"]

SHORT: Final = 10_000
"""The maximum length of a name or another short text, in characters."""
LONG: Final = 100_000
"""The maximum length of a description or narrative, in characters."""

_MAX_PROBLEMS: Final = 100
# Libraries escape such characters differently when they canonicalise, so that some would reject the signature.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]").search


def has_control_characters(text: str) -> bool:
    """Return whether the text has characters that implementations canonicalise differently, so it cannot be signed."""
    return _CONTROL(text) is not None


class Problems:
    """Collects the problems of one input. Nothing is raised before `raise_any`."""

    def __init__(self) -> None:
        self._found: list[FieldError] = []

    def add(self, pointer: str, detail: str, code: str = "invalid") -> None:
        """Note a problem; `detail` follows the member's name in a sentence, such as ``must be a date``."""
        if len(self._found) < _MAX_PROBLEMS:
            self._found.append(FieldError(pointer, detail, code))

    def text(self, value: str | None, pointer: str, *, max_length: int = SHORT) -> None:
        """Check that a text is not blank, can be stored and has at most `max_length` characters."""
        if value is None:
            return
        if not value.strip():
            self.add(pointer, "must not be empty", "empty")
        elif _CONTROL(value):
            self.add(pointer, "must not contain control characters but tabs and line ends", "bad_text")
        elif not value.isascii() or len(value) > max_length:
            try:
                check_text(value, pointer=pointer, max_length=max_length)
            except InvalidInput as error:
                self.include("", error)

    def count(self, items: Sequence[object] | None, pointer: str, *, max_items: int = 100) -> bool:
        """Return whether the array has at most `max_items` items, and note it as a problem if not."""
        if items is not None and len(items) > max_items:
            self.add(pointer, f"must have at most {max_items} items, not {len(items)}", "too_many")
            return False
        return True

    def include(self, prefix: str, error: LapelError) -> None:
        """Add the problems of the part at `prefix`; an error without field errors is a problem of the whole part."""
        for problem in error.errors or [FieldError("", error.detail, error.code)]:
            self.add(f"{prefix}{problem.pointer}", problem.detail, problem.code)

    @property
    def found(self) -> Sequence[FieldError]:
        """The problems noted so far, at most a hundred."""
        return self._found

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise `InvalidInput` if there are problems."""
        if self._found:
            raise self.error()

    def error(self) -> InvalidInput:
        """Return an error with one FieldError per problem, at most a hundred. There must be at least one."""
        first = self._found[0]
        joined = ": " if first.detail[:1].isupper() else " "
        sentence = f"{first.pointer or 'The body'}{joined}{first.detail.removesuffix('.')}."
        if len(self._found) > 1:
            sentence += f" {and_more(len(self._found) - 1)}"
        return InvalidInput(sentence, errors=self._found)


def and_more(count: int) -> str:
    """Return a sentence that there are `count` problems besides the one described."""
    return "There is 1 more problem." if count == 1 else f"There are {count} more problems."


def error_at(pointer: str, error: LapelError) -> InvalidInput:
    """Return the error of the part at `pointer` as an error of the whole input."""
    problems = Problems()
    problems.include(pointer, error)
    return problems.error()
