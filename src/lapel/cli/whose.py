"""Of which organisation a command speaks: the option ``--organisation``."""

from __future__ import annotations

from typing import Annotated, TypeAlias
from uuid import UUID

import typer

from lapel.cli.named import named_id
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

__all__ = ["Whose", "organisation_id"]

Whose: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="The organisation's id, as `lapel organisation list` shows it; the default one if not given."
    ),
]


def organisation_id(given: str | None) -> UUID:
    """What the option names, or the default organisation."""
    return DEFAULT_ORGANISATION_ID if given is None else named_id(given)
