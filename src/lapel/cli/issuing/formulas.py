"""Keep spreadsheet programs from evaluating cells as formulas, such as an id that is `=HYPERLINK(…)`."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["defuse", "restore"]

_LIKE_A_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\n]")
_DEFUSED: Final = re.compile(r"''*[=+\-@\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


def defuse(cell: str) -> str:
    """Prefix a cell that looks like a formula, and is not a number, with an apostrophe, which marks it as text."""
    if _LIKE_A_FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def restore(cell: str) -> str:
    """Undo `defuse`. It is exact, because `defuse` also prefixes cells that look like its own results."""
    return cell[1:] if _DEFUSED.match(cell) else cell
