"""What goes wrong with one of two databases, in the words of the command that names both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from lapel.database.errors import DatabaseLocked, ForeignDatabase, MissingDatabase, NotADatabase, NotConnected
from lapel.errors import LapelError

__all__ = ["told_of"]

_HINTS: Final[Mapping[type[LapelError], str]] = {
    MissingDatabase: "A relative path starts in the folder that the command runs in.",
    NotADatabase: "Check that this is the file you mean.",
    ForeignDatabase: "Check that this is the database you mean. A target must be empty, or not exist yet.",
    NotConnected: "Is it running, and is its address right?",
    DatabaseLocked: "Stop that server, or name another target.",
}
"""In place of those that tell of the configured database, or of a server that starts."""
_SETTINGS: Final = re.compile(r"\b(SQLITE_FILE|DATABASE_URL)\b")


@contextmanager
def told_of(which: str) -> Iterator[None]:
    """Say of what fails inside that it is the one database, ``source`` or ``target``, and name no setting for it."""
    said = partial(_SETTINGS.sub, which.upper())
    try:
        yield
    except LapelError as error:
        hint = next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), error.hint)
        raise type(error)(
            f"The {which}: {said(error.detail)}",
            hint=hint and said(hint),
            errors=[replace(one, detail=said(one.detail)) for one in error.errors],
        ) from error
