"""A database copied into one of another kind: all of it, exactly, and proved; or nothing."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from lapel.credentials.jsonld import Contexts
from lapel.database.conformance import samples
from lapel.database.conformance.opening import made
from lapel.database.errors import ConstraintViolation, DatabaseError, SameDatabase, WrongSchema
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.tables import metadata
from lapel.domain.clock import system_clock
from lapel.domain.credential import Credential
from lapel.domain.organisation import Organisation
from lapel.maintenance.checking import check
from lapel.maintenance.copying import Copied, CopyDiffers, TargetNotEmpty, UnfinishedCopy, copy
from lapel.maintenance.copying.mark import COPY_MARK
from lapel.maintenance.copying.parity import Digest
from lapel.maintenance.copying.plain_form import PlainSession
from lapel.maintenance.copying.tables import LEFT_OUT, batches, copied_tables, count_rows
from tests.support.connections import administer
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer

ODD_JSON = '{"b" : 1e300,  "a":[ 1.0, null ], "b":"\\u00e9\\ud83c\\udf93"}'
"""As nobody would write it anew: blanks, a name twice, escapes."""
FIRST_MOMENT, LAST_MOMENT = -62_135_596_800_000, 253_402_300_799_999
EVERY_PLANE = "a\t\r\n\x01 \u00e9\u200d\ufffd\U0001f393\U0010ffff '\"\\ %s $1 NULL \\N"


class Silent:
    """Shows nothing; does something when a step begins, if told."""

    def __init__(self, at: dict[str, Callable[[], None]] | None = None) -> None:
        self.at = at or {}
        self.done: dict[str, int] = {}

    def between(self, source: str, target: str) -> None:
        self.addresses = (source, target)

    def begin(self, doing: str, rows: int) -> None:
        self.doing = doing
        self.done[doing] = -rows
        if call := self.at.get(doing):
            call()

    def advance(self, rows: int) -> None:
        self.done[self.doing] += rows


Where = tuple[str, DatabaseSettings]
Pair = tuple[Where, Where]
BOTH = ["sqlite to postgresql", "postgresql to sqlite"]


def file_at(path: Path) -> Where:
    return "sqlite", DatabaseSettings(sqlite_file=path)


def server_at(dsn: str) -> Where:
    return "postgresql", DatabaseSettings(url=dsn)


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that `fill` has filled, to copy: leave it as it is."""
    file = tmp_path_factory.mktemp("filled") / "lapel.sqlite"
    asyncio.run(filled(file_at(file)))
    return file


@pytest.fixture(scope="module")
def filled_dsn(postgres: PostgresServer) -> Iterator[str]:
    """The address of such a database."""
    dsn = postgres.create_database()
    asyncio.run(filled(server_at(dsn)))
    yield dsn
    postgres.drop_database(dsn)


@pytest.fixture(params=BOTH)
def pair(request: pytest.FixtureRequest, tmp_path: Path, postgres_dsn: str) -> Pair:
    """Source and target: two databases that are not there yet, or empty."""
    pair = file_at(tmp_path / "one.sqlite"), server_at(postgres_dsn)
    return pair if request.param == BOTH[0] else pair[::-1]


@pytest.fixture(params=BOTH)
def from_filled(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> Iterator[Pair]:
    """A source that `fill` has filled, of this test's own, and a target that is not there yet, or empty."""
    if request.param == BOTH[0]:
        copy_of = Path(shutil.copy(request.getfixturevalue("filled_file"), tmp_path / "one.sqlite"))
        dsn = postgres.create_database()
        yield file_at(copy_of), server_at(dsn)
    else:
        dsn = postgres.create_database(template=request.getfixturevalue("filled_dsn"))
        yield server_at(dsn), file_at(tmp_path / "one.sqlite")
    postgres.drop_database(dsn)


async def copied(source: Where, target: Where, progress: Silent | None = None) -> Copied:
    both = made(*source), made(*target)
    return await copy(*both, contexts=Contexts.bundled(), clock=system_clock, progress=progress or Silent())


async def fill(database: Database) -> None:
    """Rows in every table, and in them what is hard to keep."""
    scene = await samples.set_scene(database)
    key, entry = samples.api_key(), samples.audit_entry()
    async with database.transaction() as tx:
        await tx.organisations.create(Organisation(id=samples.new_id(), name=EVERY_PLANE, created_at=samples.MOMENT))
        await tx.api_keys.create(key)
        await tx.images.create_if_absent(samples.image(bytes(range(256)) * 4_000))
        await tx.signing_keys.create_if_none_active(samples.signing_key(scene.issuer.id))
        await tx.achievements.update(replace(scene.achievement, version=2, name=EVERY_PLANE), expected_version=1)
        await tx.audit_log.record_many([entry, *(samples.audit_entry(entity_id=key.id) for _ in range(20))])
        await tx.server_facts.put_if_absent("a fact", bytes(range(256)))
        await tx.credentials.create_many(
            [scene.credential(index) for index in range(700)]
            + [samples.credential(scene.issuer.id, signed=b"\0" * 3_000_000)]
        )
    async with database.maintenance(writes=True) as session:
        await session.run("UPDATE status_lists SET allocated = 701")
        extreme = {
            "id": str(samples.new_id()),
            "organisation_id": str(scene.issuer.organisation_id),
            "issuer_id": str(scene.issuer.id),
            "format": "vc-jwt",
            "signed": b"",
            "recipient_type": "",
            "recipient_lookup": b"\x00",
            "valid_from": FIRST_MOMENT,
            "valid_until": LAST_MOMENT,
            "status": "revoked",
            "status_reason": EVERY_PLANE * 10_000,
            "created_at": 1,
            "erased_at": -1,
        }
        request = {
            "id": str(samples.new_id()),
            "organisation_id": str(scene.issuer.organisation_id),
            "fingerprint": b"\xff",
            "created_at": 1_709_210_096_789,
            "outcome": ODD_JSON,
        }
        decision = {"name": EVERY_PLANE, "decided_at": LAST_MOMENT}
        rows = {"credentials": extreme, "idempotent_requests": request, "two_phase_decisions": decision}
        for name, values in rows.items():
            table = metadata.tables[name]
            await PlainSession(database, session).load(table, [[values.get(column.name) for column in table.columns]])


async def filled(where: Where) -> None:
    async with opened(*where) as database:
        await fill(database)


def everything_in(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the standard library's driver finds, in every table that is copied."""
    with closing(sqlite3.connect(file)) as connection:
        return {
            table.name: connection.execute(
                f"SELECT {', '.join(table.columns.keys())} FROM {table.name} ORDER BY 1, 2"
            ).fetchall()
            for table in copied_tables()
        }


async def test_every_value_survives_the_way_there_and_back(
    filled_file: Path, tmp_path: Path, postgres_dsn: str
) -> None:
    before = everything_in(filled_file)

    there = await copied(file_at(filled_file), server_at(postgres_dsn))
    back = await copied(server_at(postgres_dsn), file_at(tmp_path / "last"))

    assert min(map(len, before.values())) > 0, "a table has nothing in it that could get lost"
    assert everything_in(tmp_path / "last") == before
    assert there.tables == back.tables
    assert {table.table: table.rows for table in there.tables} == {name: len(rows) for name, rows in before.items()}


async def test_the_copy_is_a_database_like_any_other(from_filled: Pair) -> None:
    progress = Silent()

    told = await copied(*from_filled, progress)

    assert progress.done == {"copy": 0, "prove": 0}, "as many were counted as there are"
    assert told.rows > 700
    async with opened(*from_filled[1]) as database:
        assert [finding async for finding in check(database)] == []
        for statement in ("UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"):
            with pytest.raises(ConstraintViolation):
                async with database.maintenance(writes=True) as session:
                    await session.run(statement)


async def test_what_is_written_after_its_moment_is_not_in_the_copy(pair: Pair) -> None:
    async with opened(*pair[0]) as writer:
        scene = await samples.set_scene(writer)
        before, later = scene.credential(1), scene.credential(2)

        async def store(credential: Credential) -> None:
            async with writer.transaction() as tx:
                await tx.credentials.create(credential)

        await store(before)
        writes: list[asyncio.Task[None]] = []
        progress = Silent(at={"copy": lambda: writes.append(asyncio.create_task(store(later)))})
        told = await copied(*pair, progress)
        await writes[0]

        assert await writer.read().credentials.find(later.id) is not None
    async with opened(*pair[1]) as database:
        assert await database.read().credentials.find(before.id) is not None
        assert await database.read().credentials.find(later.id) is None
    assert {table.table: table.rows for table in told.tables}["credentials"] == 1
    assert told.as_of <= datetime.now(UTC)


async def test_a_row_that_is_altered_on_its_way_fails_the_copy(from_filled: Pair) -> None:
    async with opened(*from_filled[1]) as target, target.maintenance(writes=True) as session:
        for statement in TAMPERING[target.module_name]:
            await session.run(statement)

    with pytest.raises(CopyDiffers, match="credentials has 702 rows on both sides, but not the same"):
        await copied(*from_filled)

    async with opened(*from_filled[1]) as target:
        assert await target.read().server_facts.find(COPY_MARK) is not None
        async with target.maintenance(writes=True) as session:
            assert sum((await count_rows(session)).values()) == 2, "that, and the organisation that a migration makes"
            await session.run("DROP TRIGGER tamper" + (" ON credentials" * (target.module_name == "postgresql")))
    await copied(*from_filled)
    async with opened(*from_filled[1]) as target:
        assert await target.read().server_facts.find(COPY_MARK) is None


TAMPERING = {
    "sqlite": [
        "CREATE TRIGGER tamper AFTER INSERT ON credentials WHEN NEW.status_index = 321 BEGIN"
        " UPDATE credentials SET signed = CAST('{\"proof\": [ ]}' AS BLOB) WHERE id = NEW.id; END"
    ],
    "postgresql": [
        "CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.status_index = 321 THEN NEW.signed = '{\"proof\": [ ]}'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER tamper BEFORE INSERT ON credentials FOR EACH ROW EXECUTE FUNCTION tamper()",
    ],
}


async def test_a_row_that_is_lost_on_its_way_fails_the_copy(filled_file: Path, postgres_dsn: str) -> None:
    async with opened(*server_at(postgres_dsn)) as target, target.maintenance(writes=True) as session:
        await session.run("CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
        await session.run("CREATE TRIGGER lose BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION lose()")

    with pytest.raises(CopyDiffers, match="audit_log has 21 rows in the source and 0 in the target"):
        await copied(file_at(filled_file), server_at(postgres_dsn))


async def test_a_target_with_anything_in_it_is_not_touched(pair: Pair) -> None:
    async with opened(*pair[0]):
        pass
    async with opened(*pair[1]) as target:
        await samples.set_scene(target)
        async with target.maintenance() as session:
            before = await count_rows(session)

    with pytest.raises(TargetNotEmpty, match="issuers, achievements, status_lists, achievement_versions"):
        await copied(*pair)

    async with opened(*pair[1]) as target, target.maintenance() as session:
        assert await count_rows(session) == before


async def test_an_unfinished_target_is_no_source(pair: Pair) -> None:
    mark = b'{"token":"1","begun":"2026-01-01T00:00:00Z","source":"there"}'
    async with opened(*pair[0]) as database, database.transaction() as tx:
        await tx.server_facts.put_if_absent(COPY_MARK, mark)

    with pytest.raises(UnfinishedCopy, match=r"A copy from there was started at 2026-01-01 00:00:00 UTC"):
        await copied(*pair)


async def test_a_file_is_not_copied_into_itself(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "one")
    async with opened(*file_at(tmp_path / "one")):
        pass

    with pytest.raises(SameDatabase):
        await copied(file_at(tmp_path / "one"), file_at(tmp_path / "link"))


@pytest.mark.parametrize("other", ["", "&application_name=other"])
async def test_nor_is_a_database_under_whatever_address_and_no_mark_is_left(postgres_dsn: str, other: str) -> None:
    async with opened(*server_at(postgres_dsn)) as database:
        with pytest.raises(SameDatabase):
            await copied(server_at(postgres_dsn), server_at(postgres_dsn + other))

        assert await database.read().server_facts.find(COPY_MARK) is None


@pytest.mark.parametrize("which", ["source", "target"])
async def test_a_schema_that_is_not_this_versions_is_refused(tmp_path: Path, which: str) -> None:
    pair = file_at(tmp_path / "source"), file_at(tmp_path / "target")
    for where in pair:
        async with opened(*where):
            pass
    with closing(sqlite3.connect(tmp_path / which)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")

    with pytest.raises(WrongSchema, match=f"The {which}'s tables are not those of this version"):
        await copied(*pair)


async def test_a_source_that_is_not_there_or_has_no_tables_is_refused(tmp_path: Path, postgres_dsn: str) -> None:
    missing = "sqlite", DatabaseSettings(sqlite_file=tmp_path / "missing", make=False)
    for source in (missing, server_at(postgres_dsn)):
        with pytest.raises(DatabaseError) as refused:
            await copied(source, file_at(tmp_path / "target"))
        assert refused.value.code in ("database_missing", "database_wrong_schema")


async def test_a_moment_that_the_databases_own_clock_wrote_is_cut_to_what_lapel_knows(
    tmp_path: Path, postgres_dsn: str
) -> None:
    file, server = file_at(tmp_path / "one"), server_at(postgres_dsn)
    async with opened(*server) as database:
        await samples.set_scene(database)
    await administer(postgres_dsn, "UPDATE issuers SET created_at = '2026-01-01 00:00:00.001999+00'")

    await copied(server, file)

    async with opened(*file) as database:
        issuer = await database.read().issuers.default()
    assert issuer is not None
    assert issuer.created_at == datetime(2026, 1, 1, microsecond=1_000, tzinfo=UTC)


async def test_rows_are_read_in_bounded_memory(pair: Pair) -> None:
    async with opened(*pair[0]) as database:
        async with database.transaction() as tx:
            for number in range(40):
                await tx.images.create_if_absent(samples.image(bytes([number]) * 400_000))
        async with database.maintenance() as session:
            digest = Digest()
            unloaded = batches(PlainSession(database, session), metadata.tables["images"], digest)
            sizes = [len(rows) async for rows in unloaded]

    assert digest.rows == sum(sizes) == 40
    assert sizes[2:-1] == [2] * (len(sizes) - 3), (
        "so many are within a mebibyte; at first nobody knows how large they are"
    )


def test_every_table_is_copied_or_left_out_for_a_reason() -> None:
    assert {table.name for table in copied_tables()} | set(LEFT_OUT) == set(metadata.tables)
    assert all(LEFT_OUT.values())


def test_a_table_comes_after_those_that_it_refers_to() -> None:
    before: set[str] = set()
    for table in copied_tables():
        assert {key.column.table.name for key in table.foreign_keys} <= before
        before.add(table.name)


def test_no_table_counts_its_rows_itself() -> None:
    """Else a copy would have to set the counter."""
    counting = [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if column.identity is not None or column is table.autoincrement_column
    ]
    assert counting == []
