"""A long stream needs little memory, wherever the rows are not in memory anyway."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from lapel.database.conformance import samples
from lapel.database.interface import DatabaseSettings
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.support.databases import opened, settings_for

ROWS, BYTES = 2_000, 20_000


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("inside", [False, True])
async def test_a_stream_needs_a_fraction_of_what_it_carries(
    kind: str, inside: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dsn = request.getfixturevalue("postgres_dsn") if kind == "postgresql" else None
    name, settings = settings_for(kind, folder=tmp_path, dsn=dsn)
    assert isinstance(settings, DatabaseSettings)
    async with opened(name, settings) as database:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create_many(
                [samples.credential(scene.issuer.id, signed=bytes(BYTES)) for _ in range(ROWS)]
            )
        carried = 0
        async with database.transaction(read_only=True) as tx:
            tracemalloc.start()
            if inside:
                async for credential in tx.credentials.stream(DEFAULT_ORGANISATION_ID):
                    carried += len(credential.signed)
        if not inside:
            async for credential in database.read().credentials.stream(DEFAULT_ORGANISATION_ID):
                carried += len(credential.signed)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert carried == ROWS * BYTES
        assert peak < carried / 2
