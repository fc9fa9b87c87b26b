"""GET of a hosted credential where there are many: 1,000,000 beside 1,000, on each database.

    python -m benchmarks.hosting [--seconds 3] [--rounds 5] [--credentials 1000000]

As many addresses are asked for on either side, chosen at random, so that the server keeps as much of both in memory;
then each of many addresses once, so that it must ask the database for all of them. Filling takes minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from uuid import UUID

from benchmarks.filling import filled, warm_up
from benchmarks.load import Load, LoadResult, request_bytes, run_load
from benchmarks.servers import lapel_server
from lapel.bootstrap import open_database
from lapel.config import load_settings
from tests.support.postgres_server import PostgresServer

_FEW = 1_000
_SPREAD = 200_000
_LEAST = 0.9


def main() -> None:
    """Measure and print. Exits with 1 if a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each load lasts")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side takes its turn")
    parser.add_argument("--credentials", type=int, default=1_000_000, help="how many there are on the large side")
    options = parser.parse_args()
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder, PostgresServer.temporary() as postgres:

        def sqlite(name: str) -> dict[str, str]:
            return {"SQLITE_FILE": str(Path(folder) / f"{name}.sqlite")}

        def postgresql(_: str) -> dict[str, str]:
            return {"DATABASE_URL": postgres.create_database(), "LAPEL_MASTER_KEY": secrets.token_hex(32)}

        for product, fresh in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
            if not _measure(product, fresh("few"), fresh("many"), options):
                missed.append(product)
    if missed:
        raise SystemExit(f"not met: {', '.join(missed)}")


def _measure(product: str, few: dict[str, str], many: dict[str, str], options: argparse.Namespace) -> bool:
    with ExitStack() as stack:
        small, large = (
            stack.enter_context(_hosting(environment, count))
            for environment, count in ((few, _FEW), (many, options.credentials))
        )
        pairs = [(small.kept(options), large.kept(options)) for _ in range(options.rounds)]
        spread = large.spread(options)
    ratio = median(many_rate / few_rate for few_rate, many_rate in pairs)
    of_few, of_many = (median(side) for side in zip(*pairs, strict=True))
    met = ratio >= _LEAST
    print(f"{product}: GET among {_FEW:,}{of_few:20,.0f}/s")
    print(
        f"{product}: GET among {options.credentials:,}{of_many:16,.0f}/s"
        f"{ratio:8.2f} of that (at least {_LEAST}){'  met' if met else '  NOT MET'}"
    )
    print(f"{product}: each of many addresses once{spread:10,.0f}/s{spread / of_many:8.2f} of that", flush=True)
    return met


class _Hosting:
    """A server that hosts credentials."""

    def __init__(self, url: str, keys: Sequence[UUID]) -> None:
        self._url = url
        self._few = self._requests(random.sample(keys, min(len(keys), _FEW)))
        self._spread = self._requests(random.sample(keys, min(len(keys), _SPREAD)))

    def kept(self, options: argparse.Namespace) -> float:
        """Answers a second where the same few are asked for."""
        return self._load(self._few, options).per_second

    def spread(self, options: argparse.Namespace) -> float:
        """Answers a second where none is asked for twice."""
        return self._load(self._spread, options).per_second

    def _requests(self, keys: Sequence[UUID]) -> list[bytes]:
        return [request_bytes("GET", f"{self._url}/v3/credentials/{key}") for key in keys]

    def _load(self, requests: Sequence[bytes], options: argparse.Namespace) -> LoadResult:
        host, port = self._url.removeprefix("http://").split(":")
        result = run_load(Load(host=host, port=int(port), requests=requests, seconds=options.seconds))
        if set(result.statuses) != {200}:
            raise SystemExit(f"expected only 200, got {result.statuses}")
        return result


@contextmanager
def _hosting(environment: dict[str, str], count: int) -> Iterator[_Hosting]:
    keys = asyncio.run(_fill(environment, count))
    with lapel_server(environment) as url:
        yield _Hosting(url, keys)


async def _fill(environment: Mapping[str, str], count: int) -> list[UUID]:
    database = open_database(load_settings(environment))
    await database.connect()
    try:
        await database.migrate()
        keys = await filled(database, count)
        await warm_up(database, keys)
        return keys
    finally:
        await database.disconnect()


if __name__ == "__main__":
    main()
