"""At rest nobody reads anything, whoever has not the key changes nothing, and nothing shows the key."""

from __future__ import annotations

import os
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from lapel_sqlite_encrypted.driver import EncryptedConnection
from lapel_sqlite_encrypted.key import Key, MissingKey, NoCipher, NotEncrypted, WrongKey
from structlog.testing import capture_logs

from lapel.database.conformance import samples
from lapel.database.conformance.opening import connected, made, opened
from lapel.database.errors import DatabaseError, DatabaseLocked, NotADatabase
from lapel.database.interface import Database, DatabaseSettings

KEY = "0123456789abcdef" * 4
ANOTHER = "f" * 64
NAME, SIGNED = "Ada Lovelace", b'{"credentialSubject": "sealed"}'


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What is in every file there, and in those that this process has open without a name."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield file.name, file.read_bytes()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            opened = os.readlink(descriptor)
        except OSError:
            continue
        if opened.endswith(" (deleted)") and opened.startswith("/"):
            yield opened, descriptor.read_bytes()


def holding(folder: Path, *secrets: bytes) -> set[str]:
    return {name for name, content in files_of(folder) if any(secret in content for secret in secrets)}


async def fill(database: Database) -> None:
    """Credentials, more than SQLite keeps in memory, and a part of them undone."""
    owner = samples.issuer(name=NAME)
    async with database.transaction() as tx:
        await tx.issuers.create(owner)
        for _ in range(20):
            try:
                async with tx.savepoint():
                    await tx.server_facts.put_if_absent("large", SIGNED * 200_000)
                    raise LookupError
            except LookupError:
                pass
    async with database.transaction() as tx:
        await tx.server_facts.put_if_absent("signed", SIGNED * 1_000)


@pytest.mark.parametrize(("module", "shown"), [("sqlite-encrypted", False), ("sqlite", True)])
async def test_no_file_holds_what_is_stored(tmp_path: Path, module: str, shown: bool) -> None:
    folder = tmp_path / "data"
    async with opened(module, DatabaseSettings(sqlite_file=folder / "lapel.sqlite")) as database:
        await fill(database)
        assert (folder / "lapel.sqlite-wal").stat().st_size > len(SIGNED) * 1_000
        assert bool(holding(folder, NAME.encode(), SIGNED)) == shown
        assert ("lapel.sqlite-wal" in holding(folder, SIGNED)) == shown
    assert bool(holding(folder, NAME.encode(), SIGNED, b"CREATE TABLE")) == shown
    async with connected(module, DatabaseSettings(sqlite_file=folder / "lapel.sqlite")) as database:
        assert await database.read().server_facts.find("signed") == SIGNED * 1_000


async def test_the_standard_library_cannot_open_it(database: Database, tmp_path: Path) -> None:
    await database.disconnect()
    with closing(sqlite3.connect(tmp_path / "fresh.sqlite")) as plain, pytest.raises(sqlite3.DatabaseError):
        plain.execute("SELECT * FROM sqlite_schema").fetchall()


def everything(folder: Path) -> dict[str, tuple[bytes, float]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("encrypted", "expected"), [(True, WrongKey), (False, NotEncrypted)], ids=["another key", "a plain file"]
)
async def test_what_the_key_does_not_open_is_left_as_it_is(
    tmp_path: Path, encrypted: bool, expected: type[DatabaseError], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DatabaseSettings(sqlite_file=tmp_path / "data" / "lapel.sqlite", serves=True)
    async with opened("sqlite-encrypted" if encrypted else "sqlite", settings):
        pass
    monkeypatch.delenv("SQLITE_KEY_FILE")
    monkeypatch.setenv("SQLITE_KEY", ANOTHER)
    before = everything(tmp_path / "data")

    with capture_logs() as lines, pytest.raises(expected) as caught:
        await made("sqlite-encrypted", settings).connect()

    assert type(caught.value) is expected
    assert caught.value.hint
    assert isinstance(caught.value.__cause__, NotADatabase)
    assert everything(tmp_path / "data") == before
    assert ANOTHER not in f"{lines}{traceback.format_exception(caught.value)}"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "no key"),
        ({"SQLITE_KEY": "a password"}, "64 hexadecimal"),
        ({"SQLITE_KEY": f"{KEY}\u0661"}, "64 hexadecimal"),
        ({"SQLITE_KEY": KEY, "SQLITE_KEY_FILE": "key"}, "both"),
        ({"SQLITE_KEY_FILE": "nowhere"}, "nowhere cannot be read"),
    ],
)
def test_without_a_key_nothing_is_made(
    tmp_path: Path, variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SQLITE_KEY_FILE")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(MissingKey, match=said) as caught:
        made("sqlite-encrypted", DatabaseSettings(sqlite_file=tmp_path / "data" / "lapel.sqlite"))

    assert caught.value.hint
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert not (tmp_path / "data").exists()


async def test_nothing_shows_the_key(database_settings: tuple[str, DatabaseSettings]) -> None:
    with capture_logs() as lines:
        async with opened(*database_settings) as database:
            shown = [
                database.configuration(),
                await database.health(),
                database.measurements(),
                Key(KEY),
                str(Key(KEY)),
            ]
            assert database.configuration()["cipher"] == "chacha20"
    assert KEY not in f"{shown}{lines}{vars(database)}"


def test_a_driver_without_ciphers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lapel.sqlite").touch()

    def ignores_what_it_does_not_know(self: apsw.Connection, name: str, value: object = None) -> None:
        return None

    plain = type("Plain", (apsw.Connection,), {"pragma": ignores_what_it_does_not_know})
    monkeypatch.setattr(apsw, "Connection", plain)
    with pytest.raises(NoCipher):
        EncryptedConnection(f"file:{tmp_path / 'lapel.sqlite'}?mode=rw", Key(KEY))


async def test_sqlite_is_as_lapel_wants_it(database: Database) -> None:
    in_force = database.configuration()
    version = (await database.health()).server_version or ""

    assert tuple(map(int, version.removeprefix("SQLite ").split("."))) >= (3, 51, 3)
    assert {name: in_force[name] for name in ("journal_mode", "synchronous", "foreign_keys", "temp_store")} == {
        "journal_mode": "WAL",
        "synchronous": "FULL",
        "foreign_keys": "ON",
        "temp_store": "MEMORY",  # what SQLite puts aside while it sorts must not be written as it is
    }


async def test_a_second_server_is_refused(tmp_path: Path) -> None:
    settings = DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite", serves=True, connect_seconds=0.1)
    async with opened("sqlite-encrypted", settings):
        with pytest.raises(DatabaseLocked):
            await made("sqlite-encrypted", settings).connect()


async def test_a_whole_backup_under_the_same_key_is_taken_up_and_one_under_another_is_not(tmp_path: Path) -> None:
    file, backup = tmp_path / "lapel.sqlite", tmp_path / "backup.sqlite"
    settings = DatabaseSettings(sqlite_file=file)
    kept = samples.issuer(name="kept")
    async with opened("sqlite-encrypted", settings) as database, database.transaction() as tx:
        await tx.issuers.create(kept)
    backup.write_bytes(file.read_bytes())
    async with connected("sqlite-encrypted", settings) as database:
        foreign = tmp_path / "foreign.sqlite"
        foreign.touch()
        with closing(EncryptedConnection(f"file:{foreign}?mode=rw", Key(ANOTHER))) as connection:
            connection.execute("CREATE TABLE t (a)").fetchall()
        for damaged in (foreign.read_bytes(), backup.read_bytes()[:-100]):
            put(damaged, file)
            assert "no whole SQLite database" in str((await database.health()).detail)
            assert file.read_bytes() == damaged
        put(backup.read_bytes(), file)
        assert (await database.health()).ok
        assert await database.read().issuers.find(kept.id) == kept


def put(content: bytes, file: Path) -> None:
    """That content in place of `file`, at rest for long."""
    aside = file.with_name("aside")
    aside.write_bytes(content)
    os.utime(aside, (0, 0))
    os.replace(aside, file)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_the_drivers_errors_are_those_of_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "lapel.sqlite").touch()
    connection = EncryptedConnection(f"file:{tmp_path / 'lapel.sqlite'}?mode=rw", Key(KEY))
    connection.execute("CREATE TABLE t (a TEXT PRIMARY KEY, b INTEGER CHECK (b > 0)) STRICT")

    def code_of(sql: str, *values: object) -> int | None:
        with pytest.raises(sqlite3.Error) as caught:
            connection.execute(sql, values).fetchall()
        assert isinstance(caught.value.__cause__, apsw.Error | TypeError)
        return getattr(caught.value, "sqlite_errorcode", None)

    connection.execute("INSERT INTO t VALUES (?, ?)", ["a", 1])
    assert code_of("INSERT INTO t VALUES (?, ?)", "a", 1) == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
    assert code_of("INSERT INTO t VALUES (?, ?)", "b", 0) == sqlite3.SQLITE_CONSTRAINT_CHECK
    assert code_of("SELECT * FROM nowhere") == sqlite3.SQLITE_ERROR
    assert code_of("INSERT INTO t VALUES (?, ?)", object(), 1) is None
    assert code_of("INSERT INTO t VALUES (?, ?)", "c") is None
    connection.set_progress_handler(lambda: True, 1_000)
    assert code_of(ENDLESS) == sqlite3.SQLITE_INTERRUPT
    connection.set_progress_handler(None, 0)
    connection.close()
    connection.close()
    assert code_of("SELECT 1") is None
    with pytest.raises(sqlite3.Error, match="closed"):
        connection.in_transaction  # noqa: B018 - what is asked is whether it may be
