"""Adapts error messages to a command with two databases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from lapel.database.errors import DatabaseLocked, ForeignDatabase, MissingDatabase, NotADatabase, NotConnected
from lapel.errors import LapelError

__all__ = ["errors_about"]

_HINTS: Final[Mapping[type[LapelError], str]] = {
    MissingDatabase: "A relative path starts in the folder that the command runs in.",
    NotADatabase: "Check that this is the file you mean.",
    ForeignDatabase: "Check that this is the database you mean. A target must be empty, or not exist yet.",
    NotConnected: "Is it running, and is its address right?",
    DatabaseLocked: "Stop that server, or name another target.",
}
"""Replacements for hints about the configured database or a starting server."""
_SETTINGS: Final = re.compile(r"\b(SQLITE_FILE|DATABASE_URL)\b")


@contextmanager
def errors_about(database: str) -> Iterator[None]:
    """Name the database, ``source`` or ``target``, in errors raised in the block, in place of its setting."""
    without_setting = partial(_SETTINGS.sub, database.upper())
    try:
        yield
    except LapelError as error:
        hint = next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), error.hint)
        raise type(error)(
            f"The {database}: {without_setting(error.detail)}",
            hint=hint and without_setting(hint),
            errors=[replace(each, detail=without_setting(each.detail)) for each in error.errors],
        ) from error
