"""Many rows are inserted by few statements, whatever their number, but not so many large ones that memory suffers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapel.database.conformance import samples
from lapel.database.interface import DatabaseSettings
from lapel.database.sqlite.module import SqliteDatabase
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.support.databases import opened


@pytest.mark.parametrize(
    ("number", "size", "statements"),
    [(1, 10, 1), (2, 10, 1), (63, 10, 6), (64, 10, 1), (131, 10, 4), (64, 100_000, 64)],
)
async def test_many_rows_come_in_few_statements_unless_they_are_large(
    number: int, size: int, statements: int, tmp_path: Path
) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        assert isinstance(database, SqliteDatabase)
        scene = await samples.set_scene(database)
        credentials = [samples.credential(scene.issuer.id, signed=bytes((index,)) * size) for index in range(number)]
        sent: list[str] = []
        database.manager.writer.connection.set_trace_callback(sent.append)  # type: ignore[attr-defined]  # sqlite3's own

        async with database.transaction() as tx:
            await tx.credentials.create_many(credentials)

        assert sum(sql.startswith("INSERT INTO credentials") for sql in sent) == statements
        stored = [one async for one in database.read().credentials.stream(DEFAULT_ORGANISATION_ID)]
        assert stored == credentials
