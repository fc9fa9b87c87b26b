"""Databases of earlier revisions are brought to this one with all that is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import asyncpg

from lapel.database.interface import DatabaseSettings
from lapel.database.migrations.runner import MigrationStatus, plan
from lapel.database.postgresql import session as postgresql
from lapel.database.sqlite import session as sqlite
from lapel.domain.access import Scope
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.support.databases import opened

ISSUER, LIST, FIRST, SECOND, ACHIEVEMENT, KEY = (UUID(int=number) for number in range(1, 7))
OLD = MigrationStatus(current=None, head="0002", pending=("0001", "0002"))


def rows(*, moment: str, content: str) -> Iterator[str]:
    """An issuer, its status list, and two credentials in it, as the second revision held them."""
    ours = f"'{DEFAULT_ORGANISATION_ID}'"

    def insert(table: str, **values: object) -> str:
        return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(map(str, values.values()))})"

    created = {"organisation_id": ours, "created_at": moment}
    scopes = '["achievements:write","credentials:issue","credentials:status","issuers:write","keys:admin","read"]'
    yield insert("api_keys", id=f"'{KEY}'", name="'A'", role="'owner'", scopes=f"'{scopes}'", digest=content, **created)
    named = {"name": "'A'", "name_folded": "'a'", "identity": "'https'", "profile": "'{}'"}
    yield insert("issuers", id=f"'{ISSUER}'", version=1, updated_at=moment, **named, **created)
    yield insert(
        "achievements", id=f"'{ACHIEVEMENT}'", issuer_id=f"'{ISSUER}'", version=1, name_folded="'a'", **created
    )
    described = {"name": "'A'", "description": "'B'", "tags": "'[]'", "details": "'{}'", "updated_at": moment}
    yield insert("achievement_versions", achievement_id=f"'{ACHIEVEMENT}'", version=1, **described)
    listed = {"issuer_id": f"'{ISSUER}'", "purpose": "'revocation'", "length": 131072, "allocated": 128}
    yield insert("status_lists", id=f"'{LIST}'", version=1, seed=content, **listed, **created)
    for id_, status, index in ((FIRST, "active", 17), (SECOND, "revoked", 4)):
        yield insert(
            "credentials",
            id=f"'{id_}'",
            issuer_id=f"'{ISSUER}'",
            format="'vc-jwt'",
            signed=content,
            recipient_type="'url'",
            recipient_lookup=content,
            valid_from=moment,
            status=f"'{status}'",
            status_list_id=f"'{LIST}'",
            status_index=index,
            **created,
        )


async def _assert_all_is_there(module: str, settings: DatabaseSettings) -> None:
    async with opened(module, settings) as database:
        assert [finding async for finding in database.check()] == []
        read = database.read().credentials
        stored = [credential async for credential in read.stream(DEFAULT_ORGANISATION_ID)]
        assert [(each.id, each.status_index, each.status_position) for each in stored] == [
            (FIRST, 17, None),
            (SECOND, 4, None),
        ]
        assert {each.signed for each in stored} == {b"\x01\x02"}
        assert (await database.read().achievements.get(ACHIEVEMENT)).suspendable is False
        assert [found[0] for found in await read.withdrawn(ISSUER, before=None, limit=5)] == [SECOND]
        key = await database.read().api_keys.find(KEY)
        assert key is not None
        assert key.scopes == tuple(sorted(Scope))
        assert [index async for index in read.set_indices(LIST, status="revoked")] == [4]


async def test_a_sqlite_file_keeps_its_credentials(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in (*plan(sqlite.DIALECT, OLD), *rows(moment="1000", content="X'0102'")):
            connection.execute(statement)
    await _assert_all_is_there("sqlite", DatabaseSettings(sqlite_file=file))


async def test_a_postgresql_database_keeps_its_credentials(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        for statement in (*plan(postgresql.DIALECT, OLD), *rows(moment="now()", content=r"'\x0102'")):
            await connection.execute(statement)
    finally:
        await connection.close()
    await _assert_all_is_there("postgresql", DatabaseSettings(url=postgres_dsn))
