"""A change that loses to another in the database is made again, and whoever asked for it notices nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import pytest

from lapel.database.interface import DatabaseSettings
from lapel.domain.audit import Action
from lapel.domain.credential import Credential, CredentialStatus
from lapel.errors import Conflict
from lapel.services.requests import NewStatuses, Replacement
from lapel.services.stored_outcomes import Outcome
from tests.support.connections import connection_to
from tests.support.databases import opened
from tests.unit.services.server import OWNER, Server, read


async def test_a_revocation_that_ends_in_a_deadlock_is_made_again(postgres_dsn: str) -> None:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn)) as database:
        server = Server(database)
        credential = await server.badge()
        async with connection_to(postgres_dsn) as other:
            await other.execute("SET deadlock_timeout = '60s'")  # so that it is the revocation that is ended
            async with other.transaction():
                await other.execute("UPDATE status_lists SET version = version + 1")
                revoking = asyncio.create_task(
                    server.statuses.change(OWNER, credential.id, CredentialStatus.REVOKED, "Awarded by mistake")
                )
                while not await other.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0.01)
                await other.execute("UPDATE credentials SET status_reason = 'in its way'")
            revoked = await revoking
        assert (revoked.status, revoked.status_reason) == (CredentialStatus.REVOKED, "Awarded by mistake")
        assert database.metrics.count("credentials.change_status") == 2
        assert await database.read().credentials.get(credential.id) == revoked


@pytest.mark.parametrize("atomic", [True, False])
async def test_who_is_slower_with_the_same_revocation_is_told_that_it_stands(postgres_dsn: str, atomic: bool) -> None:
    async with another_revokes(postgres_dsn) as race:
        asked = NewStatuses(ids=[str(each) for each in race.ids], status=CredentialStatus.REVOKED)
        changing = asyncio.create_task(race.server.many_statuses.change(OWNER, asked, atomic=atomic))
        await race.end(changing)
        outcomes = [each for each in await changing if isinstance(each, Credential)]
        assert [each.id for each in outcomes] == race.ids
        assert {each.status for each in outcomes} == {CredentialStatus.REVOKED}
        assert outcomes == [await race.server.database.read().credentials.get(each) for each in race.ids]
        page = await race.server.audit_log.page(OWNER, limit=10, action=Action.CREDENTIAL_REVOKED)
        assert [entry.entity_id for entry in page.items] == [race.ids[1]]


async def test_who_is_slower_and_would_suspend_is_told_that_a_revocation_is_final(postgres_dsn: str) -> None:
    async with another_revokes(postgres_dsn) as race:
        asked = NewStatuses(ids=[str(each) for each in race.ids], status=CredentialStatus.SUSPENDED)
        changing = asyncio.create_task(race.server.many_statuses.change(OWNER, asked, atomic=False))
        await race.end(changing)
        lost, changed = await changing
        assert isinstance(lost, Conflict)
        assert isinstance(changed, Credential)
        assert changed.status is CredentialStatus.SUSPENDED


async def test_who_is_slower_with_one_revocation_records_nothing(postgres_dsn: str) -> None:
    async with another_revokes(postgres_dsn) as race:
        changing = asyncio.create_task(
            race.server.statuses.change(OWNER, race.ids[0], CredentialStatus.REVOKED, "ours")
        )
        await race.end(changing)
        assert (await changing).status_reason == "theirs"
        page = await race.server.audit_log.page(OWNER, limit=10, action=Action.CREDENTIAL_REVOKED)
        assert page.items == []


async def test_what_is_recorded_of_a_replaced_credential_is_how_it_stood_just_before(postgres_dsn: str) -> None:
    instead = read(Replacement, {"recipient": {"type": "email", "identity": "ada@example.org"}})
    async with another_revokes(postgres_dsn, status="suspended") as race:
        replacing = asyncio.create_task(race.server.replacing.replace(OWNER, race.ids[0], instead))
        await race.end(replacing)
        await replacing
        page = await race.server.audit_log.page(OWNER, limit=10, action=Action.CREDENTIAL_REPLACED)
        (entry,) = page.items
        assert entry.details["before"] == {"status": "suspended"}


@dataclass
class Race:
    """Two credentials; another one has just revoked the first, and has not committed yet."""

    server: Server
    ids: list[UUID]
    other: asyncpg.Connection[asyncpg.Record]

    async def end(self, waiting: asyncio.Task[Sequence[Outcome]] | asyncio.Task[Credential]) -> None:
        """Commit that, once `waiting` waits for it."""
        while not waiting.done() and not await self.other.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
        await self.other.execute("COMMIT")


@asynccontextmanager
async def another_revokes(dsn: str, *, status: str = "revoked") -> AsyncIterator[Race]:
    async with opened("postgresql", DatabaseSettings(url=dsn)) as database:
        server = Server(database)
        await server.issuer()
        achievement = await server.achievement(suspendable=True)
        ids = [(await server.issue(achievement=str(achievement.id))).id for _ in range(2)]
        async with connection_to(dsn) as other:
            await other.execute("BEGIN")
            revoke = "UPDATE credentials SET status = $1, status_reason = 'theirs' WHERE id = $2"
            await other.execute(revoke, status, ids[0])
            yield Race(server, ids, other)
