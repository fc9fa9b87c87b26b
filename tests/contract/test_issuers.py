"""Issuers, on every database."""

from __future__ import annotations

from lapel.database.interface import Database
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID


async def test_a_fresh_database_has_the_default_organisation(database: Database) -> None:
    organisation = await database.read().organisations.find(DEFAULT_ORGANISATION_ID)
    assert organisation is not None
