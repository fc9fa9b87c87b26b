"""Ways to take PostgreSQL from a server and to give it back, and what to expect of the server meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from lapel.database.postgresql.config_manager import APPLICATION_NAME
from tests.faults.site import Site
from tests.support.broken_network import BrokenNetwork
from tests.support.connections import connection_to
from tests.support.load import Load
from tests.support.postgres_server import PostgresServer
from tests.support.readiness import Readiness
from tests.support.waiting import eventually

__all__ = [
    "BOUND_SECONDS",
    "FAULTS",
    "POOL",
    "Outage",
    "check_answers",
    "happens",
    "turns",
    "writes_go_on",
]

FAULTS = ("stopped", "frozen", "cut", "silent")
POOL = 4
BOUND_SECONDS = 20.0
"""Many times the limits below: on a busy machine everything is late."""
_LIMITS = {
    "DB_POOL_MAX": str(POOL),
    "DB_CONNECT_TIMEOUT_MS": "1000",
    "DB_STATEMENT_TIMEOUT_MS": "1000",
    "DB_LOCK_TIMEOUT_MS": "1000",
    "DB_IDLE_IN_TRANSACTION_TIMEOUT_MS": "1000",
}


@dataclass(frozen=True)
class Outage:
    """A fresh database for a server that reaches it through a network, and one fault that can be made to happen.

    Attributes:
        kind: of `FAULTS`. The server stopped as in a crash; all its processes standing still; connections reset and
            refused; nothing delivered, and connections forgotten.
    """

    kind: str
    postgres: PostgresServer
    network: BrokenNetwork
    site: Site

    @classmethod
    def of(
        cls, kind: str, postgres: PostgresServer, network: BrokenNetwork, folder: Path, *, workers: int = 1
    ) -> Outage:
        """The outage of that kind, with a database on `postgres` whose clients come through `network`."""
        parts = urlsplit(postgres.create_database())
        dsn = f"postgresql://{parts.username}@127.0.0.1:{network.port}{parts.path}"
        return cls(kind, postgres, network, Site(folder, dsn=dsn, LAPEL_WORKERS=str(workers), **_LIMITS))

    async def begin(self) -> None:
        """Make it happen."""
        await asyncio.to_thread(self._ways()[0])

    async def end(self) -> None:
        """Put everything right again."""
        await asyncio.to_thread(self._ways()[1])

    def _ways(self) -> tuple[Callable[[], None], Callable[[], None]]:
        postgres, network = self.postgres, self.network
        return {
            "stopped": (lambda: postgres.stop("immediate"), postgres.start),
            "frozen": (postgres.suspend, postgres.resume),
            "cut": (network.cut, network.mend),
            "silent": (network.fall_silent, network.mend),
        }[self.kind]

    async def sessions(self) -> list[str]:
        """The state of every session that PostgreSQL has with the server."""
        return [str(row["state"]) for row in await self._administer("state")]

    async def come_to_rest(self) -> None:
        """Wait until no session does anything. One may wait for ever for the rest of what a client was saying."""
        resting = "state = 'idle' OR (state = 'active' AND wait_event = 'ClientRead') AS resting"
        async with asyncio.timeout(60):
            while True:
                if all(row["resting"] for row in await self._administer(resting)):
                    return
                await asyncio.sleep(0.02)

    async def end_sessions(self) -> int:
        """Have PostgreSQL end all of them, as an operator might; how many there were."""
        return len(await self._administer("pg_terminate_backend(pid)"))

    async def _administer(self, what: str) -> list[asyncpg.Record]:
        name = urlsplit(self.site.environment["DATABASE_URL"]).path.lstrip("/")
        async with connection_to(self.postgres.dsn("postgres")) as connection:
            return await connection.fetch(
                f"SELECT {what} FROM pg_stat_activity WHERE datname = $1 AND application_name = $2",
                name,
                APPLICATION_NAME,
            )


async def happens(what: Callable[[], object], *, within: float) -> None:
    """Wait until it does."""
    assert await asyncio.to_thread(lambda: eventually(what, within=within))


async def turns(readiness: Readiness, ready: bool, *, since: float) -> float:
    """Wait until it says so: how many seconds after `since` it did."""
    await happens(lambda: readiness.seconds_until(ready, since=since) is not None, within=30)
    seconds = readiness.seconds_until(ready, since=since)
    assert seconds is not None
    return seconds


async def writes_go_on(load: Load, *, since: float) -> None:
    """Wait for fifty acknowledged writes that were asked for after that moment."""
    await happens(lambda: sum(answer.status == 201 for answer in load.since(since)) >= 50, within=60)


def check_answers(load: Load) -> None:
    """Every request had an answer in time, and what was refused was refused as is promised."""
    assert not load.unanswered
    assert max(answer.seconds for answer in load.answers) < BOUND_SECONDS
    for answer in load.refused:
        assert answer.status == 503, answer
        assert answer.code, answer
        assert int(answer.headers["retry-after"]) >= 1
