"""A process that fills what it may write of a SQLite file, and shows what happens then."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from lapel.database.conformance import samples
from lapel.database.errors import DatabaseError
from lapel.database.interface import Database, DatabaseSettings
from tests.support.databases import opened

__all__ = ["main"]


async def _store(database: Database, content: bytes) -> str:
    try:
        async with database.transaction() as tx:
            await tx.images.create_if_absent(samples.image(content))
    except DatabaseError as error:
        return type(error).__name__
    return "stored"


async def _fill(database: Database, file: Path) -> None:
    """Show as JSON what each unit of a group is told when its COMMIT cannot be written, and what works then."""
    largest = max(path.stat().st_size for path in file.parent.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 20_000, hard))
    full = await asyncio.gather(*(_store(database, bytes([number]) * 50_000) for number in range(10)))
    ok_while_full = (await database.health()).ok
    organisation = await database.read().issuers.default()
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    after = await _store(database, b"after")
    print(json.dumps({"full": full, "ok": ok_while_full, "read": organisation is None, "after": after}))  # noqa: T201


async def main(file: Path) -> None:
    """Fill it."""
    async with opened("sqlite", DatabaseSettings(sqlite_file=file, serves=True)) as database:
        await _fill(database, file)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
