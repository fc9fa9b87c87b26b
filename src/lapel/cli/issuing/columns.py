"""The columns of an award file, and the conversion of a row to a request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Final

import msgspec

from lapel.credentials.strict_json import read_object as read_json_object
from lapel.domain.credential import CredentialFormat
from lapel.errors import FieldError, InvalidInput, LapelError
from lapel.openbadges.problems import Problems
from lapel.openbadges.shapes import Evidence
from lapel.services.requests import NewCredential, RecipientInput

__all__ = [
    "COLUMNS",
    "NOTES",
    "BadColumns",
    "describe_problem",
    "is_note",
    "parse_header",
    "read_members",
    "read_object",
    "request_of",
]

COLUMNS: Final = ("email", "identity", "type", "name", "valid_from", "valid_until", "evidence_url", "narrative", "id")
NOTES: Final = ("row", "error")
"""The additional columns of a file of rejected rows; ignored when that file is issued."""

_MAX_ID_LENGTH: Final = 255
# Ignored in the names of columns, so that validFrom, Valid From and E-Mail are recognised, too.
_PUNCTUATION: Final = re.compile(r"[\W_]+")
_BY_PLAIN_NAME: Final = {_PUNCTUATION.sub("", name): name for name in (*COLUMNS, *NOTES)}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_LIKE_A_VALUE: Final = re.compile(r"@|://|^did:|^\s*\d{4}-\d{2}-\d{2}")
_NO_HEADER: Final = "The first row looks like a recipient's: write a row above it that names the columns. "
_COLUMN_OF_POINTER: Final = {
    "/recipient/name": "name",
    "/recipient/type": "type",
    "/validFrom": "valid_from",
    "/validUntil": "valid_until",
    "/evidence/0/id": "evidence_url",
    "/narrative": "narrative",
    "/id": "id",
}


class BadColumns(InvalidInput):
    """The columns of this file are not those that are needed."""

    code = "bad_columns"


def parse_header(header: Sequence[str], *, ignore_unknown: bool, strict: bool = True) -> list[str | None]:
    """Return the meaning of each column; None for one that is ignored.

    Args:
        ignore_unknown: ignore unknown columns.
        strict: refuse a header without a recipient's column, or with a column twice.

    Raises:
        BadColumns: the header is refused; with a hint.
    """
    columns = [_column_of(name) for name in header]
    unknown = [name for name, column in zip(header, columns, strict=True) if column is None]
    if unknown and not ignore_unknown:
        is_row = strict and not any(columns) and any(map(_LIKE_A_VALUE.search, unknown))
        raise BadColumns(
            f"There is no column {_quoted(unknown)}.", hint=(_NO_HEADER if is_row else "") + _hint(unknown[0])
        )
    if strict:
        duplicates = sorted(column for column, count in Counter(columns).items() if column and count > 1)
        if duplicates:
            raise BadColumns(f"The column {_quoted(duplicates)} is there twice.")
        if "email" not in columns and "identity" not in columns:
            raise BadColumns(
                "There is no column email or identity: the file names nobody.",
                hint=f"The first row must name the columns, from: {', '.join(COLUMNS)}.",
            )
        if "identity" in columns and "type" not in columns:
            raise BadColumns(
                "There is a column identity, but no column type.", hint="type is email, did, url or phone."
            )
    return [None if column in NOTES else column for column in columns]


def _column_of(name: str) -> str | None:
    return _BY_PLAIN_NAME.get(_PUNCTUATION.sub("", name.casefold()))


def is_note(name: str) -> bool:
    """Return whether a column is one of NOTES."""
    return _column_of(name) in NOTES


def read_members(members: Iterable[tuple[str | None, str]]) -> Mapping[str, str]:
    """Return a row's values by column, without empty ones and ignored columns."""
    return {column: text for column, value in members if column is not None and (text := value.strip())}


def read_object(line: str, *, ignore_unknown: bool) -> tuple[Mapping[str, str], str | None]:
    """Return the values of a line of JSON Lines by column, and what is wrong with it."""
    try:
        document = read_json_object(line)
    except LapelError as error:
        return {}, f"cannot be read: {error.detail}"
    names = list(document)
    try:
        columns = parse_header(names, ignore_unknown=ignore_unknown, strict=False)
    except BadColumns as error:
        return {}, f"has an unknown member. {error.detail} {error.hint}"
    members: dict[str, str] = {}
    for name, column in zip(names, columns, strict=True):
        value = document[name]
        if column is None or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int):
            return {}, f"has something other than text in {column}"
        if column in members:
            return {}, f"has {column} twice"
        members[column] = str(value)
    return read_members(members.items()), None


def request_of(
    values: Mapping[str, str],
    *,
    achievement: str,
    format: CredentialFormat,  # noqa: A002 - the member's own name
    problems: Problems,
) -> NewCredential | None:
    """Convert a row to a request. Adds to `problems` what is wrong with it, by column, and then returns None."""
    email, identity, kind = values.get("email"), values.get("identity"), values.get("type")
    if email is not None and identity is not None:
        problems.add("identity", "must be empty where there is an email", "not_allowed")
    elif email is not None:
        identity, kind = email, kind or "email"
    elif identity is None:
        problems.add("email" if "type" not in values else "identity", "is missing", "missing")
    elif kind is None:
        problems.add("type", "is missing: email, did, url or phone", "missing")
    if (row_id := values.get("id")) is not None:
        problems.text(row_id, "id", max_length=_MAX_ID_LENGTH)
    valid_from, valid_until = _time(values, "valid_from", problems), _time(values, "valid_until", problems)
    if problems or identity is None or kind is None:
        return None
    url = values.get("evidence_url")
    return NewCredential(
        achievement=achievement,
        recipient=RecipientInput(type=kind, identity=identity, name=values.get("name")),
        valid_from=valid_from,
        valid_until=valid_until,
        evidence=[Evidence(id=url)] if url is not None else None,
        narrative=values.get("narrative"),
        format=format,
    )


def describe_problem(problem: FieldError, values: Mapping[str, str]) -> str:
    """Describe a problem of a request in terms of the row's columns."""
    if problem.code == "erased":
        anew = (
            "give it another id to award it anew" if "id" in values else "it is awarded anew once you issue this file"
        )
        return f"{problem.detail}: delete it, or {anew}"
    column = _COLUMN_OF_POINTER.get(problem.pointer, problem.pointer)
    if problem.pointer == "/recipient/identity":
        column = "email" if "email" in values else "identity"
    return f"{column} {problem.detail}".strip()


def _time(values: Mapping[str, str], column: str, problems: Problems) -> datetime | None:
    text = values.get(column)
    if text is None:
        return None
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        return msgspec.convert(text, datetime)
    except (ValueError, msgspec.ValidationError):
        detail = "must be a date such as 2026-01-31, or a time with its offset such as 2026-01-31T12:00:00Z"
        problems.add(column, detail, "bad_time")
        return None


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:50]) for name in names[:5]) + (", …" if len(names) > 5 else "")


def _hint(unknown: str) -> str:
    close = get_close_matches(_PUNCTUATION.sub("", unknown.casefold()), list(_BY_PLAIN_NAME), n=1)
    suggestion = f"Did you mean {_BY_PLAIN_NAME[close[0]]}? " if close else ""
    return f"{suggestion}The columns are: {', '.join(COLUMNS)}. --ignore-unknown ignores others."
