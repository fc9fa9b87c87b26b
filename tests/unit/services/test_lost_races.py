"""A change that loses to another in the database is made again, and whoever asked for it notices nothing."""

from __future__ import annotations

import asyncio

import asyncpg

from lapel.database.interface import DatabaseSettings
from lapel.domain.credential import CredentialStatus
from tests.support.databases import opened
from tests.unit.services.server import OWNER, Server


async def test_a_revocation_that_ends_in_a_deadlock_is_made_again(postgres_dsn: str) -> None:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn)) as database:
        server = Server(database)
        credential = await server.badge()
        other = await asyncpg.connect(postgres_dsn)
        try:
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
        finally:
            await other.close()
        assert (revoked.status, revoked.status_reason) == (CredentialStatus.REVOKED, "Awarded by mistake")
        assert database.metrics.count("credentials.change_status") == 2
        assert await database.read().credentials.get(credential.id) == revoked
