"""Databases of earlier revisions are brought to this one with all that is in them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from lapel.database.conformance.opening import connected
from lapel.database.errors import DatabaseError
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.migrations.runner import MigrationStatus, head, plan, status
from lapel.database.postgresql import session as postgresql
from lapel.database.sqlite import session as sqlite
from lapel.domain.access import Role, Scope, scopes_of
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.maintenance.checking import check
from tests.support.connections import connection_to
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer

ISSUER, LIST, FIRST, SECOND, ACHIEVEMENT, OTHERS = (UUID(int=number) for number in range(1, 7))
FIRST_KEY = UUID("00000000-0000-7000-8000-000000000002")
REVISIONS = status((), ()).pending
FULL = {
    Scope.READ,
    Scope.ISSUERS_WRITE,
    Scope.ACHIEVEMENTS_WRITE,
    Scope.CREDENTIALS_ISSUE,
    Scope.CREDENTIALS_STATUS,
    Scope.KEYS_ADMIN,
}
"""All that there was before revision 0006."""


def planned(*, after: str | None = None, to: str) -> MigrationStatus:
    first = 0 if after is None else REVISIONS.index(after) + 1
    return MigrationStatus(current=after, head=to, pending=REVISIONS[first : REVISIONS.index(to) + 1])


@dataclass(frozen=True)
class Old:
    """A database without a table, in which an earlier version is played."""

    module: str
    settings: DatabaseSettings

    @property
    def moment(self) -> str:
        return "1000" if self.module == "sqlite" else "now()"

    def content(self, written: str) -> str:
        return f"X'{written}'" if self.module == "sqlite" else f"'\\x{written}'"

    def plan(self, where: MigrationStatus) -> Sequence[str]:
        return plan((sqlite if self.module == "sqlite" else postgresql).DIALECT, where)

    async def run(self, *statements: str) -> None:
        if self.module == "sqlite":
            with closing(sqlite3.connect(self.settings.sqlite_file)) as connection, connection:
                for statement in statements:
                    connection.execute(statement)
            return
        async with connection_to(self.settings.url) as postgres:
            for statement in statements:
                await postgres.execute(statement)

    @asynccontextmanager
    async def upgraded(self) -> AsyncIterator[Database]:
        async with opened(self.module, self.settings) as database:
            assert (await database.migration_status()).pending == ()
            assert [finding async for finding in check(database)] == []
            yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Old]:
    if request.param == "sqlite":
        yield Old("sqlite", DatabaseSettings(sqlite_file=tmp_path / "old.sqlite"))
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    dsn = postgres.create_database()
    yield Old("postgresql", DatabaseSettings(url=dsn))
    postgres.drop_database(dsn)


def insert(table: str, **values: object) -> str:
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(map(str, values.values()))})"


def rows(*, moment: str, content: str, folded: str = "a") -> Iterator[str]:
    """An issuer, its status list, and two credentials in it, as the second revision held them."""
    ours = f"'{DEFAULT_ORGANISATION_ID}'"
    created = {"organisation_id": ours, "created_at": moment}
    named = {"name": "'A'", "name_folded": f"'{folded}'", "identity": "'https'", "profile": "'{}'"}
    yield insert("issuers", id=f"'{ISSUER}'", version=1, updated_at=moment, **named, **created)
    yield insert(
        "achievements", id=f"'{ACHIEVEMENT}'", issuer_id=f"'{ISSUER}'", version=1, name_folded=f"'{folded}'", **created
    )
    described = {"name": "'A'", "description": "'B'", "tags": "'[]'", "details": "'{}'", "updated_at": moment}
    yield insert("achievement_versions", achievement_id=f"'{ACHIEVEMENT}'", version=1, **described)
    listed = {"issuer_id": f"'{ISSUER}'", "purpose": "'revocation'", "length": 131072, "allocated": 128}
    yield insert("status_lists", id=f"'{LIST}'", version=1, seed=content, **listed, **created)
    for id_, standing, index in ((FIRST, "active", 17), (SECOND, "revoked", 4)):
        yield insert(
            "credentials",
            id=f"'{id_}'",
            issuer_id=f"'{ISSUER}'",
            format="'vc-jwt'",
            signed=content,
            recipient_type="'url'",
            recipient_lookup=content,
            valid_from=moment,
            status=f"'{standing}'",
            status_list_id=f"'{LIST}'",
            status_index=index,
            **created,
        )


@pytest.mark.parametrize("revision", ["0002", "0005", "0006", "0008"])
async def test_it_keeps_its_credentials(old: Old, revision: str) -> None:
    await old.run(*old.plan(planned(to=revision)), *rows(moment=old.moment, content=old.content("0102")))
    async with old.upgraded() as database:
        read = database.read().credentials
        stored = [credential async for credential in read.stream(DEFAULT_ORGANISATION_ID)]
        assert [(each.id, each.status_index, each.status_position, each.erased_at) for each in stored] == [
            (FIRST, 17, None, None),
            (SECOND, 4, None, None),
        ]
        assert {each.signed for each in stored} == {b"\x01\x02"}
        assert (await database.read().achievements.get(ACHIEVEMENT)).suspendable is False
        assert [found[0] for found in await read.withdrawn(ISSUER, before=None, limit=5)] == [SECOND]
        assert [index async for index in read.set_indices(LIST, status="revoked")] == [4]


async def test_a_long_name_is_cut_to_what_an_index_holds(old: Old) -> None:
    given = rows(moment=old.moment, content=old.content("0102"), folded="é" * 3000)
    # Without an index no length is too great.
    await old.run(*old.plan(planned(to="0005")), *given)
    async with old.upgraded() as database, database.maintenance() as session:
        for table in ("issuers", "achievements"):
            assert await session.run(f"SELECT name_folded FROM {table}") == [("é" * 200,)]


ERASE = {Scope.RECIPIENTS_ERASE}
NEW = {Scope.AUDIT_READ}
KEYS: dict[str, tuple[Role, UUID, set[Scope], set[Scope]]] = {
    # whose, where, what it might do, what it may do besides
    "the first": (Role.OWNER, DEFAULT_ORGANISATION_ID, FULL, NEW | ERASE | {Scope.ORGANISATIONS_ADMIN}),
    "an owner": (Role.OWNER, DEFAULT_ORGANISATION_ID, FULL, NEW | {Scope.ORGANISATIONS_ADMIN}),
    "an admin": (Role.ADMIN, DEFAULT_ORGANISATION_ID, FULL, NEW),
    "LAPEL_ADMIN_KEY": (Role.ADMIN, DEFAULT_ORGANISATION_ID, FULL, NEW),  # the rest when a server starts
    "an owner elsewhere": (Role.OWNER, OTHERS, FULL, NEW),
    "an owner with less": (Role.OWNER, DEFAULT_ORGANISATION_ID, FULL - {Scope.CREDENTIALS_STATUS}, set()),
    "an admin who reads": (Role.ADMIN, DEFAULT_ORGANISATION_ID, {Scope.READ}, set()),
    "an issuer": (Role.ISSUER, DEFAULT_ORGANISATION_ID, {Scope.READ, Scope.CREDENTIALS_ISSUE}, set()),
}


def keys(old: Old) -> Iterator[str]:
    yield insert("organisations", id=f"'{OTHERS}'", name="'Riverside School'", created_at=old.moment)
    for number, (name, (role, organisation, scopes, _)) in enumerate(KEYS.items()):
        yield insert(
            "api_keys",
            id=f"'{FIRST_KEY if name == 'the first' else UUID(int=100 + number)}'",
            organisation_id=f"'{organisation}'",
            name=f"'{name}'",
            role=f"'{role}'",
            scopes=f"'{json.dumps(sorted(scopes), separators=(',', ':'))}'",
            digest=old.content(f"{number:02}"),
            created_at=old.moment,
        )


@pytest.mark.parametrize("by_way_of", ["0005", "0006"])
async def test_keys_of_everything_may_do_what_is_new_but_not_erase(old: Old, by_way_of: str) -> None:
    await old.run(*old.plan(planned(to="0005")), *keys(old))
    if by_way_of != "0005":
        await old.run(*old.plan(planned(after="0005", to=by_way_of)))
    async with old.upgraded() as database:
        read = database.read().api_keys
        found = [
            key
            for organisation in (DEFAULT_ORGANISATION_ID, OTHERS)
            for key in await read.page(organisation, before=None, limit=20)
        ]
        assert {key.name: set(key.scopes) for key in found} == {
            name: scopes | new for name, (_, _, scopes, new) in KEYS.items()
        }
        first = next(key for key in found if key.name == "the first")
        assert first.scopes == tuple(sorted(scopes_of(Role.OWNER, DEFAULT_ORGANISATION_ID)))


async def test_where_others_read_meanwhile_what_is_done_stays_done(old: Old) -> None:
    """A revision that fails, here for a name that is taken, leaves those before it only there."""
    taken = "ix_credentials_achievement_id_withdrawn"
    await old.run(*old.plan(planned(to="0006")), f"CREATE INDEX {taken} ON credentials (id)")
    with pytest.raises(DatabaseError):
        async with opened(old.module, old.settings):
            pass
    async with connected(old.module, old.settings) as database:
        shared = database.capabilities.several_processes
        assert (await database.migration_status()).current == ("0009" if shared else "0006")
    await old.run(f"DROP INDEX {taken}")
    async with old.upgraded() as database:
        assert (await database.migration_status()).current == head()


async def test_no_index_is_built_while_credentials_cannot_be_read(postgres_dsn: str) -> None:
    old = Old("postgresql", DatabaseSettings(url=postgres_dsn))
    await old.run(*old.plan(planned(to="0005")), *rows(moment="now()", content=old.content("0102")))
    built = 0
    async with connection_to(postgres_dsn) as connection:
        for before, revision in pairwise(REVISIONS[4:]):
            async with connection.transaction():
                for statement in old.plan(planned(after=before, to=revision)):
                    await connection.execute(statement)
                    if statement.startswith("CREATE INDEX") and " ON credentials " in statement:
                        built += 1
                        held = await connection.fetch(
                            "SELECT relation::regclass::text FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
                            " WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock' AND relkind = 'r'"
                        )
                        assert held == []
    assert built == 3
