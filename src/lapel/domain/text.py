"""Rules for text: what is refused everywhere, and how names are folded for search."""

from __future__ import annotations

import unicodedata

from lapel.errors import FieldError, InvalidInput

__all__ = ["check_text", "fold"]


def check_text(value: str, *, pointer: str, max_length: int) -> str:
    """Return `value` if both databases can store it and it has at most `max_length` characters.

    Raises:
        InvalidInput: the text contains NUL (PostgreSQL cannot store it) or a lone surrogate (not encodable as UTF-8),
            or is too long.
    """
    problem = None
    if len(value) > max_length:
        problem = f"must be at most {max_length} characters, not {len(value)}"
    elif "\x00" in value:
        problem = "must not contain the NUL character"
    elif any("\ud800" <= character <= "\udfff" for character in value):
        problem = "must not contain half a surrogate pair"
    if problem:
        raise InvalidInput(f"{pointer} {problem}.", errors=[FieldError(pointer, problem, "bad_text")])
    return value


def fold(value: str) -> str:
    """Return `value` normalised for searching: compatibility-composed (NFKC) and case-folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
