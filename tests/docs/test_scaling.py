"""What docs/scaling.md tells an operator to set before several servers, set: real ones, through a real pgbouncer."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from lapel.database.interface import DatabaseSettings
from tests.docs.test_operating import block
from tests.support.connections import connection_to
from tests.support.databases import opened
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres_server import PostgresServer
from tests.support.server_process import ADMIN_KEY, answers, free_port, log_of, serving
from tests.support.source_tree import REPOSITORY
from tests.support.waiting import eventually

PAGE = REPOSITORY / "docs" / "scaling.md"
EXPORTED = dict(re.findall(r"export (\w+)=(\w+)", block("pgbouncer-by-transaction", PAGE)))


@pytest.fixture(params=["session", "transaction"])
def pooled(
    request: pytest.FixtureRequest, postgres: PostgresServer, migrated_postgres_dsn: str
) -> Iterator[dict[str, str]]:
    """The settings of a server behind a pooler in that mode, with the database's own as the page says."""

    async def set_up() -> None:
        async with connection_to(migrated_postgres_dsn) as connection:
            name = await connection.fetchval("SELECT current_database()")
            await connection.execute(block("pgbouncer-database", PAGE).replace("DATABASE lapel ", f"DATABASE {name} "))

    asyncio.run(set_up())
    with pgbouncer(postgres.dsn("postgres"), pool_mode=request.param) as running:
        yield {
            "DATABASE_URL": running.before(migrated_postgres_dsn),
            "LAPEL_MASTER_KEY": secrets.token_hex(32),
            "LAPEL_ADMIN_KEY": ADMIN_KEY,
            "LAPEL_PUBLIC_URL": "https://badges.example.org",
            **(EXPORTED if request.param == "transaction" else {}),
        }


def test_two_servers_with_workers_serve_one_database_through_a_pooler(pooled: dict[str, str], tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    with (
        serving(tmp_path, first, **pooled, LAPEL_WORKERS="2"),
        serving(tmp_path, second, **pooled),
        httpx.Client(trust_env=False, headers={"authorization": f"Bearer {ADMIN_KEY}"}, timeout=60) as client,
    ):
        assert eventually(lambda: answers(first)), log_of(tmp_path, first)
        assert eventually(lambda: answers(second)), log_of(tmp_path, second)
        here, there = f"http://127.0.0.1:{first}", f"http://127.0.0.1:{second}"
        issuer = client.post(f"{here}/v3/issuers", json={"name": "Harbour University"}).json()["id"]
        criteria = {"narrative": "Three nights at the helm."}
        named = {
            "issuer": issuer,
            "name": "Night Sailing",
            "description": "Sails safely by night.",
            "criteria": criteria,
        }
        achievement = client.post(f"{there}/v3/achievements", json=named).json()["id"]
        recipients = [{"recipient": {"type": "email", "identity": f"{n}@example.org"}} for n in range(30)]
        issued = [
            client.post(f"{place}/v3/credentials", json={"achievement": achievement, **recipient})
            for recipient in recipients
            for place in (here, there)
        ]
        batch = [{"achievement": achievement, **recipient} for recipient in recipients]
        batched = client.post(f"{there}/v3/credentials/batch", json=batch)
        path = issued[0].json()["id"].removeprefix("https://badges.example.org")
        revoked = client.post(f"{here}{path}/status", json={"status": "revoked", "reason": "By mistake."})
        seen = client.get(f"{there}{path}", params={"format": "html"})
        listed = [
            client.get(f"{place}/v3/credentials", params={"limit": 100}).json()["items"] for place in (here, there)
        ]

    assert {answer.status_code for answer in issued} == {201}
    assert batched.is_success, batched.text
    assert revoked.is_success, revoked.text
    assert "By mistake." in seen.text
    assert len(listed[0]) == len(listed[1]) == 90
    for port in (first, second):
        log = log_of(tmp_path, port)
        assert "timeout is" not in log, "what the page sets for the database is in force"
        assert "Traceback" not in log


def test_a_server_behind_a_pooler_by_transaction_says_what_to_set(
    postgres: PostgresServer, migrated_postgres_dsn: str, tmp_path: Path
) -> None:
    with pgbouncer(postgres.dsn("postgres"), pool_mode="transaction") as running:
        address = running.before(migrated_postgres_dsn)
        port = free_port()
        with serving(tmp_path, port, DATABASE_URL=address, LAPEL_MASTER_KEY=secrets.token_hex(32)) as server:
            assert server.wait(60) != 0

    assert "DB_PREPARED_STATEMENTS=false" in log_of(tmp_path, port)


async def test_a_database_that_was_restarted_behind_a_pooler_is_soon_found_again(
    stoppable_postgres: PostgresServer,
) -> None:
    dsn = stoppable_postgres.create_database()
    with pgbouncer(stoppable_postgres.dsn("postgres")) as running:
        async with opened("postgresql", DatabaseSettings(url=running.before(dsn))) as database:
            stoppable_postgres.stop()
            client = await asyncpg.connect(running.before(dsn))  # of which PostgreSQL does not hear
            with pytest.raises((asyncpg.PostgresError, OSError)):
                await client.execute("SELECT 1", timeout=1)
            client.terminate()
            stoppable_postgres.start()
            async with asyncio.timeout(9):
                while not (await database.health()).ok:
                    await asyncio.sleep(0.1)
