"""Cells that a spreadsheet program would take for formulas: `=HYPERLINK(…)` as somebody's id must be no link."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["defused", "restored"]

_LIKE_A_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n]")
_DEFUSED: Final = re.compile(r"''*[=+\-@\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


def defused(cell: str) -> str:
    """The cell with an apostrophe before it, by which it is text, where it looks like a formula and is no number."""
    if _LIKE_A_FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def restored(cell: str) -> str:
    """What a cell was before `defused`, which adds an apostrophe to those of its own kind, too."""
    return cell[1:] if _DEFUSED.match(cell) else cell
