"""Arguments and options that several commands have in common."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import typer

from lapel.domain.access import Principal, acting_for
from lapel.domain.identifiers import parse_id
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import InvalidInput

__all__ = ["TIME", "JsonOption", "OrganisationOption", "confirm", "parse_reference", "parse_time", "principal_for"]

TIME: Final = "a date, or a time such as 2026-01-31T12:00:00Z"
"""What `parse_time` reads, for help and hints."""

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]

OrganisationOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="The organisation's id, as `lapel organisation list` shows it; the default one if not given."
    ),
]


def parse_reference(text: str) -> UUID:
    """Parse the id of a record: a UUID, a URN, or the record's address, which ends with the UUID.

    The server in the address is not checked: a record of another server does not exist here under its id.

    Raises:
        InvalidInput: it is none of these.
    """
    return parse_id(text.rpartition("/")[2] if "://" in text else text)


def principal_for(organisation: str | None) -> Principal:
    """Return the principal of a command that acts for the organisation of an `OrganisationOption`.

    Raises:
        InvalidInput: it is not the id of a record.
    """
    return acting_for(DEFAULT_ORGANISATION_ID if organisation is None else parse_reference(organisation))


def parse_time(text: str | None) -> datetime | None:
    """Parse a time, in UTC if it has no offset; a date means its start. Raises InvalidInput."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text[:40]!r} is not a date or a time.", hint=f"Give {TIME}.") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def confirm(question: str) -> None:
    """Ask a question, and end the command unless the answer is yes.

    Raises:
        InvalidInput: there is no terminal, and no answer in the standard input.
    """
    try:
        is_sure = typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise InvalidInput("Nobody has answered.", hint="Answer on a terminal, or add --yes.") from None
    if not is_sure:
        raise typer.Abort
