"""What is set on each connection is read back: critical settings refuse to start, important ones warn."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from structlog.testing import capture_logs

from lapel.database.errors import StorageFailure
from lapel.database.interface import DatabaseSettings
from lapel.database.postgresql.module import PostgresqlDatabase
from lapel.database.setting_tiers import Setting, SettingRefused, Tier, check_settings
from lapel.database.sqlite.driver import connect_stdlib
from lapel.database.sqlite.module import SqliteDatabase
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer


@asynccontextmanager
async def pooler(dsn: str) -> AsyncIterator[str]:
    """What stands before the server at `dsn` and drops the parameters of a session, as poolers do: its address."""
    place = urlsplit(dsn)
    socket = Path(parse_qs(place.query)["host"][0]) / ".s.PGSQL.5432"

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while some := await reader.read(65536):
                writer.write(some)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:  # requests for encryption come first, and are declined
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            message = await reader.readexactly(length - 4)
            if message[:4] == struct.pack("!I", 196608):
                break
            writer.write(b"N")
        words = message[4:].split(b"\0")
        asked = dict(zip(words[::2], words[1::2], strict=False))
        kept = b"".join(name + b"\0" + asked[name] + b"\0" for name in (b"user", b"database"))
        server_reader, server_writer = await asyncio.open_unix_connection(str(socket))
        server_writer.write(struct.pack("!II", len(kept) + 9, 196608) + kept + b"\0")
        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://{place.username}@127.0.0.1:{port}{place.path}?sslmode=disable"


@pytest.fixture
def durable_dsn(stoppable_postgres: PostgresServer) -> str:
    """The address of a database on a server that nothing is to be said about."""
    return stoppable_postgres.create_database()


async def test_what_is_set_is_in_force(durable_dsn: str) -> None:
    settings = DatabaseSettings(url=durable_dsn, statement_seconds=7, lock_seconds=3, idle_in_transaction_seconds=5.5)
    with capture_logs() as lines:
        async with opened("postgresql", settings) as database:
            shown = database.configuration()
    assert {name: shown[name] for name in ("TimeZone", "statement_timeout", "lock_timeout", "client_encoding")} == {
        "TimeZone": "UTC",
        "statement_timeout": "7000",
        "lock_timeout": "3000",
        "client_encoding": "UTF8",
    }
    assert shown["idle_in_transaction_session_timeout"] == "5500"
    assert shown["application_name"] == "lapel"
    assert shown["synchronous_commit"] == "on"
    assert [line for line in lines if line["log_level"] == "warning"] == []


async def test_what_a_pooler_drops_is_warned_of_once(durable_dsn: str) -> None:
    with capture_logs() as lines:
        async with (
            pooler(durable_dsn) as url,
            opened("postgresql", DatabaseSettings(url=url, pool_min=3, lock_seconds=3)) as database,
        ):
            assert database.configuration()["lock_timeout"] == "0"
    warned = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert warned.count("The database's lock_timeout is 0, not 3000") == 1
    assert {warning.split()[2] for warning in warned} == {
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    }


async def test_a_critical_one_that_is_dropped_refuses_to_start(postgres: PostgresServer, postgres_dsn: str) -> None:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn)) as database:
        connection = await database.manager.check_out()  # type: ignore[attr-defined]  # PostgreSQL's own
        name = urlsplit(postgres_dsn).path.strip("/")
        await connection.execute(f"ALTER DATABASE {name} SET client_encoding = 'LATIN1'")
        await database.manager.check_in(connection)  # type: ignore[attr-defined]  # PostgreSQL's own
    async with pooler(postgres_dsn) as url:
        database = PostgresqlDatabase(DatabaseSettings(url=url))
        with pytest.raises(SettingRefused, match="client_encoding is LATIN1, not UTF8") as caught:
            await database.connect()
        assert "pooler" in str(caught.value.hint)
        assert database.pool_status().size == 0


async def test_a_pool_larger_than_the_server_is_warned_of(durable_dsn: str) -> None:
    with capture_logs() as lines:
        async with opened("postgresql", DatabaseSettings(url=durable_dsn, pool_max=1000)):
            pass
    (warning,) = [line for line in lines if line["log_level"] == "warning"]
    assert "DB_POOL_MAX" in warning["event"]
    assert warning["pool_max"] == 1000
    assert 0 < warning["room"] < 200


def test_each_tier_does_what_it_says() -> None:
    with capture_logs() as lines:
        check_settings(
            [Setting("a", "1", Tier.OPTIONAL), Setting("b", "1", Tier.IMPORTANT)], {}, hint="-", warned=set()
        )
    assert [line["event"] for line in lines] == ["The database's b is None, not 1"]
    with pytest.raises(SettingRefused, match="c is 0, not 1 or 2"):
        check_settings([Setting("c", None, Tier.CRITICAL, good=("1", "2"))], {"c": "0"}, hint="-", warned=set())


async def test_a_critical_pragma_that_does_not_take_refuses_to_start() -> None:
    def without_foreign_keys(path: str) -> sqlite3.Connection:
        connection = connect_stdlib(path)
        connection.set_authorizer(
            lambda action, name, *_: sqlite3.SQLITE_IGNORE if name == "foreign_keys" else sqlite3.SQLITE_OK
        )
        return connection

    database = SqliteDatabase(DatabaseSettings(sqlite_file=":memory:"), connector=without_foreign_keys)
    with pytest.raises(SettingRefused, match="foreign_keys"):
        await database.connect()
    assert database.pool_status().size == 0


async def test_an_sqlite_that_is_too_old_is_named_with_what_is_needed(tmp_path: Path) -> None:
    def old(path: str) -> sqlite3.Connection:
        connection = connect_stdlib(path)
        connection.create_function("sqlite_version", 0, lambda: "3.36.1")
        return connection

    database = SqliteDatabase(DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite"), connector=old)
    with pytest.raises(SettingRefused, match=r"SQLite 3\.36\.1 is too old.* 3\.37\.0"):
        await database.connect()


async def test_sqlite_is_set_to_lose_nothing(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        shown = database.configuration()
    assert shown["journal_mode"] == "WAL"
    assert shown["synchronous"] == "FULL"
    assert shown["foreign_keys"] == "ON"
    assert shown["mmap_size"] == "0"


async def test_a_database_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("25 1 0:45 / / rw - cifs //server/share rw\n")
    monkeypatch.setattr("lapel.database.sqlite.database_file.MOUNTS", mounts)
    with pytest.raises(StorageFailure, match=r"network file system \(cifs\)") as caught:
        await SqliteDatabase(DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")).connect()
    assert "local disk" in str(caught.value.hint)
    assert not (tmp_path / "lapel.sqlite").exists()


async def test_a_database_that_has_not_all_letters_is_warned_of(stoppable_postgres: PostgresServer) -> None:
    name = f"lapel_{secrets.token_hex(8)}"
    stoppable_postgres.ask(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    with capture_logs() as lines:
        async with opened("postgresql", DatabaseSettings(url=stoppable_postgres.dsn(name))) as database:
            assert database.configuration()["server_encoding"] == "LATIN1"
    warned = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert warned == ["The database's server_encoding is LATIN1, not UTF8"]
