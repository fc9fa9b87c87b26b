"""Text on a terminal: a stranger's may not control it, and ours is coloured only for those who want that."""

from __future__ import annotations

import io
import json
import os
import sys

import typer

__all__ = ["print_coloured", "printable", "printable_json", "spell_out_unknown_characters"]


def printable(text: str) -> str:
    """Return the text with another character in the place of each that could control the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def printable_json(value: object, *, indent: int | None = None) -> str:
    """Return the value as JSON in which everything that could control the terminal is escaped, not only some of it."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def print_coloured(text: str, colour: str, *, err: bool = True, bold: bool = False) -> None:
    """Print a line in a colour, unless it goes to a file or NO_COLOR is set (https://no-color.org)."""
    typer.secho(text, err=err, fg=colour, bold=bold, color=False if os.environ.get("NO_COLOR") else None)


def spell_out_unknown_characters() -> None:
    """From now on, print characters that the locale does not have as ``\\u2713``, instead of failing over them."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() != "utf-8":
        sys.stdout.reconfigure(errors="backslashreplace")
