"""Nobody else is writing to the target of a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lapel.database.errors import DatabaseBusy, QueryTimeout
from lapel.database.interface import DatabaseSettings
from lapel.maintenance.copying.sample import Sample
from lapel.maintenance.copying.tables import count_rows
from tests.support.databases import opened
from tests.unit.maintenance.test_copying import copied, file_at, filled_file, server_at

__all__ = ["filled_file"]


async def test_nobody_else_writes_to_the_target_before_all_is_there(
    filled_file: Path, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn, lock_seconds=0.1)) as beside:
        verify = Sample.verify

        async def write_then_verify(*given: Any, **named: Any) -> Any:
            with pytest.raises(QueryTimeout):
                async with beside.transaction() as tx:
                    await tx.server_facts.put_if_absent("beside", b"it")
            return await verify(*given, **named)

        monkeypatch.setattr(Sample, "verify", write_then_verify)
        told = await copied(file_at(filled_file), server_at(postgres_dsn))
        async with beside.maintenance() as session:
            counts = await count_rows(session)
    assert counts == {table.table: table.rows for table in told.tables}


async def test_a_target_that_somebody_writes_to_is_refused(filled_file: Path, postgres_dsn: str) -> None:
    async with opened(*server_at(postgres_dsn)) as beside, beside.transaction() as tx:
        await tx.server_facts.put_if_absent("beside", b"it")
        target = "postgresql", DatabaseSettings(url=postgres_dsn, lock_seconds=0.1)
        with pytest.raises(DatabaseBusy, match="is writing to the target"):
            await copied(file_at(filled_file), target)
