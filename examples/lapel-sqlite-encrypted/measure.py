"""What encryption costs: the same work on plain SQLite and encrypted, in turns, in one run.

SQLITE_KEY=$(openssl rand -hex 32) python measure.py
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from lapel.database.conformance import samples
from lapel.database.conformance.opening import opened
from lapel.database.interface import Database, DatabaseSettings
from lapel.domain.credential import Credential
from lapel.domain.issuer import Issuer

ROUNDS = 7
ROWS = 2_000
WRITERS = 64

Work = Callable[[Database], Awaitable[None]]


def credentials(owner: Issuer) -> list[Credential]:
    return [samples.credential(owner.id, signed=b"signed " * 350) for _ in range(ROWS)]


async def main() -> None:
    print(f"{ROWS} credentials of 2.4 kB; medians of {ROUNDS} rounds")
    with tempfile.TemporaryDirectory() as folder:
        async with (
            opened("sqlite", DatabaseSettings(sqlite_file=Path(folder) / "plain")) as plain,
            opened("sqlite-encrypted", DatabaseSettings(sqlite_file=Path(folder) / "encrypted")) as encrypted,
        ):
            await compare(plain, encrypted)


async def compare(*databases: Database) -> None:
    owner = samples.issuer()
    for database in databases:
        async with database.transaction() as tx:
            await tx.issuers.create(owner)
    seconds: dict[str, list[list[float]]] = {}
    for _ in range(ROUNDS):
        many, single = credentials(owner), credentials(owner)

        async def insert_at_once(database: Database, rows: list[Credential] = many) -> None:
            async with database.transaction() as tx:
                await tx.credentials.create_many(rows)

        async def insert_each(database: Database, rows: list[Credential] = single) -> None:
            waiting = iter(rows)

            async def write() -> None:
                for credential in waiting:
                    async with database.transaction() as tx:
                        await tx.credentials.create(credential)

            await asyncio.gather(*(write() for _ in range(WRITERS)))

        async def read_each(database: Database, rows: list[Credential] = many) -> None:
            for credential in rows:
                await database.read().credentials.find(credential.id)

        work: dict[str, Work] = {
            "inserted in one transaction": insert_at_once,
            f"inserted each in one, by {WRITERS} at once": insert_each,
            "read one by one": read_each,
        }
        for name, do in work.items():
            seconds.setdefault(name, [[] for _ in databases])
            for database, taken in zip(databases, seconds[name], strict=True):
                began = perf_counter()
                await do(database)
                taken.append(perf_counter() - began)
    for name, (plain, encrypted) in seconds.items():
        rates = ROWS / median(plain), ROWS / median(encrypted)
        slower = median(one / other for one, other in zip(encrypted, plain, strict=True))
        print(f"{name:42} plain {rates[0]:8,.0f}/s  encrypted {rates[1]:8,.0f}/s  {slower:.2f} times as long")


if __name__ == "__main__":
    asyncio.run(main())
