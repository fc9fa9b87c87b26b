"""PostgreSQL's prepared statements, which a changed table makes worthless."""

from __future__ import annotations

import sqlalchemy as sa

from lapel.database.interface import DatabaseSettings
from lapel.database.statement import Statement
from lapel.database.transaction import DatabaseTransaction
from tests.support.connections import administer
from tests.support.databases import opened


async def test_a_table_that_changes_under_a_prepared_statement_is_asked_anew(postgres_dsn: str) -> None:
    anything = Statement(sa.select(sa.text("*")).select_from(sa.table("changing")))
    attempts: list[int] = []

    async def body(tx: DatabaseTransaction) -> None:
        attempts.append(tx.attempt)
        await tx.fetch_all(anything, {})

    async with opened("postgresql", DatabaseSettings(url=postgres_dsn, pool_max=1)) as database:
        await administer(postgres_dsn, "CREATE TABLE changing (x integer)", "INSERT INTO changing VALUES (1)")
        await database.run(body)
        await administer(postgres_dsn, "ALTER TABLE changing ADD COLUMN y text")
        await database.run(body)
    assert attempts == [1, 1, 2]
