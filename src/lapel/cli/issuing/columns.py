"""The columns of a file of awards, and what a row of them asks for."""

from __future__ import annotations

import re
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
    "is_note",
    "known_columns",
    "read_members",
    "read_object",
    "request_of",
    "sentence",
]

COLUMNS: Final = ("email", "identity", "type", "name", "valid_from", "valid_until", "evidence_url", "narrative", "id")
NOTES: Final = ("row", "error")
"""What the file of rows that were left out has besides; passed over when that file is issued."""

_LONGEST_ID: Final = 255
# However they are written: validFrom, Valid From, E-Mail.
_PLAIN: Final = re.compile(r"[\W_]+")
_KNOWN: Final = {_PLAIN.sub("", name): name for name in (*COLUMNS, *NOTES)}
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_LIKE_A_VALUE: Final = re.compile(r"@|://|^did:|^\s*\d{4}-\d{2}-\d{2}")
_NO_HEADER: Final = "The first row looks like a recipient's: write a row above it that names the columns. "
_COLUMN_OF: Final = {
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


def known_columns(header: Sequence[str], *, ignore_unknown: bool, strict: bool = True) -> list[str | None]:
    """What each column means; None for one that is passed over.

    Args:
        ignore_unknown: pass over those that mean nothing.
        strict: refuse a header that names nobody, or a column twice.

    Raises:
        BadColumns: with a hint.
    """
    found = [_KNOWN.get(_PLAIN.sub("", name.casefold())) for name in header]
    unknown = [name for name, column in zip(header, found, strict=True) if column is None]
    if unknown and not ignore_unknown:
        is_row = strict and not any(found) and any(map(_LIKE_A_VALUE.search, unknown))
        raise BadColumns(
            f"There is no column {_quoted(unknown)}.", hint=(_NO_HEADER if is_row else "") + _hint(unknown[0])
        )
    if strict:
        twice = sorted({column for column in found if column and found.count(column) > 1})
        if twice:
            raise BadColumns(f"The column {_quoted(twice)} is there twice.")
        if "email" not in found and "identity" not in found:
            raise BadColumns(
                "There is no column email or identity: the file names nobody.",
                hint=f"The first row must name the columns, from: {', '.join(COLUMNS)}.",
            )
        if "identity" in found and "type" not in found:
            raise BadColumns(
                "There is a column identity, but no column type.", hint="type is email, did, url or phone."
            )
    return [None if column in NOTES else column for column in found]


def is_note(name: str) -> bool:
    """Whether a column is one of NOTES."""
    return _KNOWN.get(_PLAIN.sub("", name.casefold())) in NOTES


def read_members(members: Iterable[tuple[str | None, str]]) -> Mapping[str, str]:
    """What a row says, by column; without what is empty."""
    return {column: text for column, value in members if column is not None and (text := value.strip())}


def read_object(line: str, *, ignore_unknown: bool) -> tuple[Mapping[str, str], str | None]:
    """What a line of JSON says, by column, and what is wrong with it."""
    try:
        found = read_json_object(line)
    except LapelError as error:
        return {}, f"cannot be read: {error.detail}"
    names = list(found)
    try:
        columns = known_columns(names, ignore_unknown=ignore_unknown, strict=False)
    except BadColumns as error:
        return {}, f"has an unknown member. {error.detail} {error.hint}"
    members: dict[str, str] = {}
    for name, column in zip(names, columns, strict=True):
        value = found[name]
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
    """What a row asks for, or None after noting what is wrong with it, each at its column."""
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
        problems.text(row_id, "id", most=_LONGEST_ID)
    valid_from, valid_until = _moment(values, "valid_from", problems), _moment(values, "valid_until", problems)
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


def sentence(problem: FieldError, values: Mapping[str, str]) -> str:
    """A problem, told of a column."""
    column = _COLUMN_OF.get(problem.pointer, problem.pointer)
    if problem.pointer == "/recipient/identity":
        column = "email" if "email" in values else "identity"
    return f"{column} {problem.detail}".strip()


def _moment(values: Mapping[str, str], column: str, problems: Problems) -> datetime | None:
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
    close = get_close_matches(_PLAIN.sub("", unknown.casefold()), list(_KNOWN), n=1)
    meant = f"Did you mean {_KNOWN[close[0]]}? " if close else ""
    return f"{meant}The columns are: {', '.join(COLUMNS)}. --ignore-unknown ignores others."
