"""Two migrated PostgreSQL databases for distributed transactions, and ways to stop such a transaction half way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from lapel.database.conformance import samples
from lapel.database.conformance.opening import connected
from lapel.database.errors import CommitDelayed, NotConnected
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql.session import PostgresqlTransactionSession
from lapel.database.postgresql.two_phase import PostgresqlParticipant
from lapel.database.two_phase.distributed import distributed
from lapel.domain.issuer import Issuer
from lapel.maintenance.recovering import prepared_in
from tests.support.connections import administer, connection_to

__all__ = [
    "LOG",
    "STEPS",
    "Halt",
    "ask",
    "award",
    "identity_of",
    "leave_decided",
    "opened_pair",
    "prepare",
    "standing",
    "stored",
]

LOG = "SELECT name FROM two_phase_decisions"

STEPS: dict[str, tuple[type, str, int]] = {
    "locked": (PostgresqlParticipant, "hold", 1),
    "one prepared": (PostgresqlTransactionSession, "prepare", 1),
    "both prepared": (PostgresqlTransactionSession, "prepare", 2),
    "decided": (PostgresqlParticipant, "decide", 1),
    "one committed": (PostgresqlParticipant, "settle", 1),
    "both committed": (PostgresqlParticipant, "settle", 2),
    "forgotten": (PostgresqlParticipant, "forget", 1),
}
"""Each step of a distributed transaction: after the so many-th call of that method."""


@asynccontextmanager
async def opened_pair(*dsns: str, **settings: Any) -> AsyncIterator[list[Database]]:
    """The databases at these addresses, connected."""
    async with AsyncExitStack() as stack:
        given = [DatabaseSettings(url=dsn, **settings) for dsn in dsns]
        yield [await stack.enter_async_context(connected("postgresql", one)) for one in given]


async def ask(dsn: str, statement: str) -> list[Any]:
    """The first column of what a database answers, on a connection of its own."""
    return [row[0] for row in await administer(dsn, statement)]


async def award(databases: Iterable[Database], issuers: Sequence[Issuer] = ()) -> None:
    """What is to be done in both or in none."""
    one, other = issuers or (samples.issuer(), samples.issuer())
    async with distributed(*databases) as (here, there):
        await here.issuers.create(one)
        await there.issuers.create(other)


async def stored(*databases: Database) -> list[int]:
    """How many issuers each has."""
    return [len(await ask(database.settings.url, "SELECT id FROM issuers")) for database in databases]


async def standing(*databases: Database) -> int:
    """How many transactions stand prepared."""
    return sum([len(await prepared_in(database)) for database in databases])


async def leave_decided(*dsns: str) -> None:
    """Leave of two databases what a coordinator leaves that dies when it has decided: nothing committed yet."""

    async def dying(*_: object, **__: object) -> bool:
        raise NotConnected

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresqlParticipant, "settle", dying)
        async with opened_pair(*dsns) as databases:
            with pytest.raises(CommitDelayed):
                await award(databases)


async def identity_of(database: Database) -> str:
    """How it is known in names."""
    participant = await database.participate()
    participant.close()
    return participant.identity


async def prepare(dsn: str, *names: str) -> None:
    """Leave transactions prepared under these names."""
    async with connection_to(dsn) as connection:
        for name in names:
            await connection.execute("BEGIN")
            await connection.execute("PREPARE TRANSACTION '{}'".format(name.replace("'", "''")))


class Halt:
    """Before or after a step, the first one to come there waits until it is told to go on."""

    def __init__(self, patch: pytest.MonkeyPatch, step: str, *, before: bool = False) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        kind, name, which = STEPS[step]
        method: Callable[..., Awaitable[Any]] = getattr(kind, name)
        calls = 0

        async def halting(*given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            here = calls == which
            if here and before:
                await self._wait()
            result = await method(*given, **named)
            if here and not before:
                await self._wait()
            return result

        patch.setattr(kind, name, halting)

    async def _wait(self) -> None:
        self.reached.set()
        await self.go_on.wait()
