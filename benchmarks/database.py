"""The database layer beside the raw drivers, in one run: what it adds to them, and what it gains over them.

    python -m benchmarks.database [--rounds 11] [--million]

Rows are credentials of 2.5 kB with every index, key and constraint; durability is full. Ours are real entities through
the public interface; the raw side runs ready-made SQL with ready-made values. The two sides take turns in short rounds
(A B A B …) and the figures are medians, the ratio that of the rounds' own ratios: so what else the machine does
cancels. `--million` measures what size costs, with 1,000,000 credentials in a temporary folder, which takes minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import platform
import random
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import uvloop

from benchmarks.database_peers import CREDENTIAL_BYTES, Credentials, RawPostgresql, RawSqlite
from benchmarks.filling import filled, warm_up
from lapel.database.interface import Database, DatabaseSettings
from lapel.domain.credential import Credential
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer

WRITERS = 64
POOL = 10  # connections to PostgreSQL, ours and the raw side's; as many tasks use them
THOUSAND, MILLION = 1_000, 1_000_000
_ROWS = 64  # in one statement, as ours has at most

Item = TypeVar("Item")
Round: TypeAlias = Callable[[], Awaitable[float]]
"""One short round: how many operations a second."""


@dataclass
class Report:
    """The table, line by line.

    Args:
        rounds: how often each side takes its turn.

    Attributes:
        before_round: called before each turn, which does not count its time.
    """

    rounds: int
    before_round: Callable[[], None] = lambda: None
    missed: list[str] = field(default_factory=list)

    def heading(self) -> None:
        """Say what is compared, and where."""
        print(
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, asyncpg {asyncpg.__version__},"
            f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; rows of {CREDENTIAL_BYTES} bytes, fully durable"
        )
        print(f"{'':62}{'ours':>10}{'beside':>10}{'ratio':>9}{'bar':>9}")

    async def compare(self, what: str, ours: Round, beside: Round, *, least: float | None) -> None:
        """Rates, more of which is better: ours must reach `least` times the other's."""
        pairs = await self._rounds(ours, beside)
        self._line(
            what, pairs, "" if least is None else f"≥ {least:.2f}", lambda ratio: least is None or ratio >= least
        )

    async def compare_times(self, what: str, large: Round, small: Round, *, most: float) -> None:
        """Times, of which the first may be `most` times the second. Shown as rates."""
        pairs = await self._rounds(large, small)
        self._line(what, pairs, f"≤ {most:.2f}", lambda ratio: ratio <= most, inverse=True)

    def note(self, sentence: str) -> None:
        """Something to know beside the figures."""
        print(sentence, flush=True)

    async def _rounds(self, one: Round, other: Round) -> list[tuple[float, float]]:
        await one()
        await other()
        gc.collect()
        gc.freeze()  # as the server does once it has started
        pairs = [(await self._round(one), await self._round(other)) for _ in range(self.rounds)]
        gc.unfreeze()
        return pairs

    async def _round(self, round_: Round) -> float:
        self.before_round()
        return await round_()

    def _line(
        self,
        what: str,
        pairs: Sequence[tuple[float, float]],
        bar: str,
        holds: Callable[[float], bool],
        *,
        inverse: bool = False,
    ) -> None:
        ratio = median(other / one if inverse else one / other for one, other in pairs)
        met = holds(ratio)
        if not met:
            self.missed.append(what)
        verdict = "" if not bar else "  met" if met else "  NOT MET"
        ours, others = (median(side) for side in zip(*pairs, strict=True))
        print(f"{what:62}{ours:8,.0f}/s{others:8,.0f}/s{ratio:8.2f}×{bar:>9}{verdict}", flush=True)


def main() -> None:
    """Measure and print. Exits with 1 if a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11, help="how often each side takes its turn")
    parser.add_argument("--million", action="store_true", help="measure with 1,000,000 credentials too")
    options = parser.parse_args()
    report = Report(options.rounds)
    gc.set_threshold(20_000, 20, 50)  # the server's own setting
    uvloop.run(_measure(report, million=options.million))
    if report.missed:
        raise SystemExit(f"not met: {'; '.join(report.missed)}")


async def _measure(report: Report, *, million: bool) -> None:
    report.heading()
    with tempfile.TemporaryDirectory() as folder, PostgresServer.temporary() as postgres:
        made = itertools.count()

        def fresh(kind: str) -> AbstractAsyncContextManager[Database]:
            if kind == "sqlite":
                settings = DatabaseSettings(sqlite_file=Path(folder) / f"{next(made)}.sqlite")
            else:
                settings = DatabaseSettings(url=postgres.create_database(), pool_min=POOL, pool_max=POOL)
            return opened(kind, replace(settings, slow_query_seconds=0))

        async with fresh("sqlite") as database:
            await _sqlite(report, database)
            report.before_round = lambda: None
        async with fresh("postgresql") as database:
            await _postgresql(report, database)
        for kind, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")) if million else ():
            async with fresh(kind) as small, fresh(kind) as large:
                await _sizes(report, name, small, large)


async def _sqlite(report: Report, database: Database) -> None:
    credentials = await Credentials.of(database)
    raw = RawSqlite(database)
    report.before_round = raw.checkpoint
    waits: list[float] = []

    async def write(credential: Credential) -> None:
        started = perf_counter()
        await _create(database, credential)
        waits.append(perf_counter() - started)

    async def ours() -> float:
        return await _rate(write, credentials.make(2_000), tasks=WRITERS)

    async def each() -> float:
        return await _rate_of_all(raw.insert_each, raw.rows(credentials.make(300)))

    async def grouped() -> float:
        return await _rate_of_all(
            lambda rows: raw.insert_in_groups(rows, size=WRITERS), raw.rows(credentials.make(2_000))
        )

    async def many() -> float:
        return await _rate_of_all(raw.insert_many, raw.rows(credentials.make(5_000)))

    async def many_by_rows() -> float:
        return await _rate_of_all(lambda rows: raw.insert_by_rows(rows, size=_ROWS), raw.rows(credentials.make(5_000)))

    what = f"SQLite: {WRITERS} writers, a transaction each, beside"
    await report.compare(f"{what} BEGIN, INSERT, COMMIT", ours, each, least=4)
    waits.clear()
    await report.compare(f"{what} the SAVEPOINT loop", ours, grouped, least=0.5)
    waits.sort()
    report.note(
        f"SQLite: each of these writers waits {median(waits) * 1e3:.1f} ms (median),"
        f" {waits[len(waits) * 99 // 100] * 1e3:.1f} ms (p99), {waits[-1] * 1e3:.1f} ms (most)"
    )
    bulk = _bulk(database, credentials)
    await report.compare("SQLite: bulk insert of 5,000, beside executemany", bulk, many, least=0.5)
    await report.compare(
        f"SQLite: bulk insert of 5,000, beside {_ROWS} rows a statement", bulk, many_by_rows, least=None
    )
    keys = await _newest(database)
    texts = [str(key) for key in keys]

    async def find(key: str) -> None:
        raw.find(key)

    await report.compare(
        "SQLite: point read, beside execute and fetchone",
        lambda: _rate(database.read().credentials.get, keys),
        lambda: _rate(find, texts),
        least=0.25,
    )


async def _postgresql(report: Report, database: Database) -> None:
    credentials = await Credentials.of(database)
    bulk = _bulk(database, credentials)
    await bulk()
    keys = await _newest(database)

    async def ours() -> float:
        return await _rate(lambda credential: _create(database, credential), credentials.make(500), tasks=POOL)

    async def read() -> float:
        return await _rate(database.read().credentials.get, keys, tasks=POOL)

    async def beside(raw: RawPostgresql, note: str) -> None:
        async def each() -> float:
            return await _rate(raw.insert, raw.rows(credentials.make(500)), tasks=POOL)

        async def many() -> float:
            return await _rate_of_all(raw.insert_many, raw.rows(credentials.make(5_000)))

        async def find() -> float:
            return await _rate(raw.find, keys, tasks=POOL)

        await report.compare(f"PostgreSQL: {POOL} writers, a transaction each, {note}", ours, each, least=0.6)
        await report.compare(f"PostgreSQL: point read in {POOL} tasks, {note}", read, find, least=0.6)
        await report.compare("PostgreSQL: bulk insert of 5,000, beside COPY", bulk, many, least=0.5)

    async with RawPostgresql.connected(database, size=POOL) as raw:
        await beside(raw, "beside asyncpg")
    async with RawPostgresql.connected(database, size=POOL, reset=False) as raw:
        await beside(raw, "and it without its reset")


async def _sizes(report: Report, name: str, small: Database, large: Database) -> None:
    few = await filled(small, THOUSAND)
    many = await filled(large, MILLION)
    await warm_up(large, many)

    def pages(before: UUID | None) -> Round:
        page = large.read().credentials.page
        return lambda: _rate(lambda _: page(DEFAULT_ORGANISATION_ID, before=before, limit=100), range(50))

    def reads(database: Database, keys: Sequence[UUID]) -> Round:
        return lambda: _rate(database.read().credentials.get, random.sample(keys, THOUSAND))

    await report.compare_times(
        f"{name}: the last page of {MILLION:,}, beside the first", pages(many[100]), pages(None), most=1.5
    )
    await report.compare_times(
        f"{name}: point read among {MILLION:,}, beside {THOUSAND:,}", reads(large, many), reads(small, few), most=1.5
    )


async def _create(database: Database, credential: Credential) -> None:
    async with database.transaction() as tx:
        await tx.credentials.create(credential)


def _bulk(database: Database, credentials: Credentials) -> Round:
    async def insert(made: Sequence[Credential]) -> None:
        async with database.transaction() as tx:
            await tx.credentials.create_many(made)

    return lambda: _rate_of_all(insert, credentials.make(5_000))


async def _newest(database: Database) -> list[UUID]:
    return [
        found.id
        for found in await database.read().credentials.page(DEFAULT_ORGANISATION_ID, before=None, limit=THOUSAND)
    ]


async def _rate(work: Callable[[Item], Awaitable[object]], items: Sequence[Item], *, tasks: int = 1) -> float:
    """How many of `items` a second, where so many tasks take one after another."""
    left = iter(items)

    async def take() -> None:
        for item in left:
            await work(item)

    started = perf_counter()
    await asyncio.gather(*(take() for _ in range(tasks)))
    return len(items) / (perf_counter() - started)


async def _rate_of_all(work: Callable[[Sequence[Item]], Awaitable[None] | None], items: Sequence[Item]) -> float:
    """How many of `items` a second, where all are handed over at once."""
    started = perf_counter()
    running = work(items)
    if running is not None:
        await running
    return len(items) / (perf_counter() - started)


if __name__ == "__main__":
    main()
