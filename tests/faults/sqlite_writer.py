"""A process that writes to a SQLite file until it is killed, and names each issuer once it is told that it is stored.

Or, with a limit on the size of files, one that shows what happens when the disk is full.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

from lapel.database.conformance import samples
from lapel.database.errors import DatabaseError
from lapel.database.interface import Database, DatabaseSettings
from tests.support.databases import opened

__all__ = ["main"]

WRITERS = 32


async def _write_for_ever(database: Database) -> None:
    while True:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
        os.write(1, f"{issuer.id}\n".encode())


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


async def main(what: str, file: Path) -> None:
    """Run as told by the command line."""
    async with opened("sqlite", DatabaseSettings(sqlite_file=file, serves=True)) as database:
        if what == "write":
            await asyncio.gather(*(_write_for_ever(database) for _ in range(WRITERS)))
        else:
            await _fill(database, file)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
