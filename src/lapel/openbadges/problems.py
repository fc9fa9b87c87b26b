"""Collects everything that is wrong with an input, so that its sender hears of all of it at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lapel.domain.text import check_text
from lapel.errors import FieldError, InvalidInput, LapelError

__all__ = ["LONG", "SHORT", "Problems", "and_more", "placed", "unwritable"]

SHORT: Final = 10_000
"""Characters in a name or another short text."""
LONG: Final = 100_000
"""Characters in a description or narrative."""

_MOST: Final = 100
# Libraries disagree on how such a character is written in what is signed, so that some would refuse the signature.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]").search


def unwritable(text: str) -> bool:
    """Whether it has characters that cannot be signed so that everybody reads the signature alike."""
    return _CONTROL(text) is not None


class Problems:
    """The problems of one input. Nothing is raised before `raise_any`."""

    def __init__(self) -> None:
        self._found: list[FieldError] = []

    def add(self, pointer: str, detail: str, code: str = "invalid") -> None:
        """Note a problem; `detail` follows the member's name in a sentence, such as ``must be a date``."""
        if len(self._found) < _MOST:
            self._found.append(FieldError(pointer, detail, code))

    def text(self, value: str | None, pointer: str, *, most: int = SHORT) -> None:
        """Text that says something and that can be stored."""
        if value is None:
            return
        if not value.strip():
            self.add(pointer, "must not be empty", "empty")
        elif _CONTROL(value):
            self.add(pointer, "must not contain control characters but tabs and line ends", "bad_text")
        elif not value.isascii() or len(value) > most:
            try:
                check_text(value, pointer=pointer, most=most)
            except InvalidInput as error:
                self._found.extend(error.errors)

    def count(self, items: Sequence[object] | None, pointer: str, *, most: int = 100) -> bool:
        """Whether the array is short enough to be looked at."""
        if items is not None and len(items) > most:
            self.add(pointer, f"must have at most {most} items, not {len(items)}", "too_many")
            return False
        return True

    def within(self, prefix: str, error: LapelError) -> None:
        """Take over the problems of a part; those of an error that points nowhere are the whole part's."""
        for found in error.errors or [FieldError("", error.detail, error.code)]:
            self.add(f"{prefix}{found.pointer}", found.detail, found.code)

    @property
    def found(self) -> Sequence[FieldError]:
        """What was noted so far, at most a hundred."""
        return self._found

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise what was found.

        Raises:
            InvalidInput: with one FieldError per problem, at most a hundred.
        """
        if self._found:
            raise self.error()

    def error(self) -> InvalidInput:
        """What was found, which must be something: one FieldError per problem, at most a hundred."""
        first = self._found[0]
        joined = ": " if first.detail[:1].isupper() else " "
        sentence = f"{first.pointer or 'The body'}{joined}{first.detail.removesuffix('.')}."
        if len(self._found) > 1:
            sentence += f" {and_more(len(self._found) - 1)}"
        return InvalidInput(sentence, errors=self._found)


def and_more(count: int) -> str:
    """How many problems there are beside the one that was told."""
    return "There is 1 more problem." if count == 1 else f"There are {count} more problems."


def placed(error: LapelError, pointer: str) -> InvalidInput:
    """The error of a part, as one of the whole in which the part stands at `pointer`."""
    problems = Problems()
    problems.within(pointer, error)
    return problems.error()
