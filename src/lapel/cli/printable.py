"""Text of strangers on a terminal, which it may not control."""

from __future__ import annotations

import json

__all__ = ["printable", "printable_json"]


def printable(text: str) -> str:
    """Return the text with another character in the place of each that could control the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def printable_json(value: object, *, indent: int | None = None) -> str:
    """Return the value as JSON in which everything that could control the terminal is escaped, not only some of it."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
