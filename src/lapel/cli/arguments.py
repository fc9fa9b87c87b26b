"""Arguments that several commands take: an id, a time, an organisation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import typer

from lapel.domain.identifiers import parse_id
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import InvalidInput

__all__ = ["TIME", "OrganisationOption", "parse_organisation", "parse_reference", "parse_time"]

TIME: Final = "a date, or a time such as 2026-01-31T12:00:00Z"
"""What `parse_time` reads, for help and hints."""

OrganisationOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="The organisation's id, as `lapel organisation list` shows it; the default one if not given."
    ),
]


def parse_reference(text: str) -> UUID:
    """The id of a thing: bare, as a URN, or at the end of the address that the API gives as its id.

    The address may be any server's: under the id of another server's thing there is nothing here.

    Raises:
        InvalidInput: it is none of these.
    """
    return parse_id(text.rpartition("/")[2] if "://" in text else text)


def parse_organisation(given: str | None) -> UUID:
    """The organisation that `OrganisationOption` names, or the default one. Raises InvalidInput."""
    return DEFAULT_ORGANISATION_ID if given is None else parse_reference(given)


def parse_time(text: str | None) -> datetime | None:
    """The time; UTC where no offset is given, and the beginning of a date. Raises InvalidInput."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text[:40]!r} is not a date or a time.", hint=f"Give {TIME}.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
