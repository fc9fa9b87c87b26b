"""Choosing a database, its configuration, and the retries around it."""

from __future__ import annotations

import io
import os
import re
import traceback
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from lapel.database.errors import (
    DatabaseError,
    DatabaseLocked,
    InvalidValue,
    MissingDatabase,
    NotConnected,
    UnknownDatabaseType,
)
from lapel.database.factory import DatabaseFactory
from lapel.database.interface import DatabaseSettings
from lapel.database.postgresql.hosts import masked
from lapel.database.postgresql.module import PostgresqlDatabase
from lapel.database.sqlite.database_file import DatabaseFile
from lapel.database.sqlite.module import SqliteDatabase
from tests.support.databases import opened


class Another:
    """A third party's module."""

    name = "another"
    create = SqliteDatabase


def test_a_registered_module_is_created_by_its_name() -> None:
    factory = DatabaseFactory()
    factory.register_module(Another())
    factory.register_module(Another(), name="alias")
    assert factory.names == ("alias", "another")
    assert isinstance(factory.create("another", DatabaseSettings(sqlite_file=":memory:")), SqliteDatabase)


def test_ours_are_installed_like_anybodys() -> None:
    assert {"sqlite", "postgresql"} <= set(DatabaseFactory.with_installed_modules().names)


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownDatabaseType, match="mysql") as caught:
        DatabaseFactory.with_installed_modules().create("mysql", DatabaseSettings())
    assert caught.value.hint is not None
    assert "postgresql, sqlite" in caught.value.hint


def test_a_factory_that_was_given_no_module_says_where_they_are() -> None:
    with pytest.raises(UnknownDatabaseType) as caught:
        DatabaseFactory().create("sqlite", DatabaseSettings(sqlite_file=":memory:"))
    assert "with_installed_modules()" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:secret@db:5432/lapel", "postgresql://ada:***@db:5432/lapel"),
        ("postgres://ada:se%40cret@a:1,b/lapel?target_session_attrs=read-write", "postgres://ada:***@a:1,b/lapel?target_session_attrs=read-write"),
        ("postgresql://ada:secret@[2001:db8::1]:5432,[::1]/lapel", "postgresql://ada:***@[2001:db8::1]:5432,[::1]/lapel"),
        ("postgresql:///lapel?password=secret&host=/run", "postgresql:///lapel?password=***&host=/run"),
        ("postgresql:///lapel?PASSWORD=se&sslpassword=cret&sslmode=require", "postgresql:///lapel?PASSWORD=***&sslpassword=***&sslmode=require"),
        ("postgresql://ada@db/lapel?passfile=/etc/lapel/pgpass", "postgresql://ada@db/lapel?passfile=/etc/lapel/pgpass"),
        ("postgresql://ada@db/lapel?options=-csecret", "postgresql://ada@db/lapel?options=***"),
        ("postgresql://ada:se:cret@db/lapel", "postgresql://ada:***@db/lapel"),
        ("postgresql://ada@db/lapel", "postgresql://ada@db/lapel"),
    ],
)  # fmt: skip
def test_a_password_is_shown_nowhere(url: str, shown: str) -> None:
    assert masked(url) == shown
    settings = DatabaseSettings(url=url)
    told = f"{settings!r} {PostgresqlDatabase(settings).configuration()} {PostgresqlDatabase(settings).manager!r}"
    assert not re.search("secret|cret", told)


@pytest.mark.parametrize(
    "url",
    [
        "host=db password=secret dbname=lapel",
        "postgresql://ada:se/cret@db/lapel",
        "postgresql://ada:se@cret@db/lapel",  # the driver would look for the host cret@db
        "postgresql://ada:se#cret@db/lapel",
        "postgresql://ada:se?cr@et@db/lapel",
        "postgresql://ada:secret/lapel",
        "mysql://ada:secret@db/lapel",
    ],
)
def test_what_might_show_a_password_by_being_misread_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match="DATABASE_URL") as caught:
        PostgresqlDatabase(DatabaseSettings(url=url))
    assert not re.search("secret|cret", f"{caught.value.detail}{caught.value.__cause__}")


async def test_no_secret_gets_out_however_connecting_fails() -> None:
    """No such host, nobody there: logs, errors, health, metrics and settings are read."""
    told = io.StringIO()
    for place in ("nowhere.invalid", "127.0.0.1:1", "a.invalid,127.0.0.1:1"):
        url = f"postgresql://ada:hunter2@{place}/lapel?sslpassword=hunter3"
        database = PostgresqlDatabase(DatabaseSettings(url=url, connect_seconds=0.2))
        with capture_logs() as lines, pytest.raises(DatabaseError) as caught:
            await database.connect()
        shown = "".join(traceback.format_exception(caught.value))
        told.write(f"{lines} {shown} {await database.health()} {database.configuration()} {database!r}")
        told.write(f"{list(database.metrics.collect())} {database.manager.__dict__}")
    assert "127.0.0.1" in told.getvalue()
    assert "hunter" not in told.getvalue()


@pytest.mark.parametrize("url", ["", "mysql://db/lapel", "postgresql://db:port/lapel"])
async def test_a_url_that_cannot_be_understood_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidValue, match="DATABASE_URL"):
        await DatabaseFactory.with_installed_modules().create("postgresql", DatabaseSettings(url=url)).connect()


async def test_where_the_database_is_does_not_stand_in_an_error() -> None:
    database = PostgresqlDatabase(DatabaseSettings(url="postgresql://ada@127.0.0.1:1/lapel", connect_seconds=0.1))

    with pytest.raises(NotConnected) as caught:
        await database.connect()

    assert "127.0.0.1" not in f"{caught.value.detail} {caught.value.hint}"
    assert "127.0.0.1" in database.configuration()["address"]


async def test_a_database_is_made_only_where_that_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "new" / "lapel.sqlite"

    with pytest.raises(MissingDatabase, match=str(file)):
        await SqliteDatabase(DatabaseSettings(sqlite_file=file, make=False)).connect()

    assert not file.parent.exists()


async def test_a_new_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "lapel.sqlite"

    async with opened("sqlite", DatabaseSettings(sqlite_file=file, serves=True)):
        rights = {found.name: found.stat().st_mode & 0o777 for found in file.parent.iterdir()}

    assert rights == {f"lapel.sqlite{ending}": 0o600 for ending in ("", "-wal", "-shm", ".lock")}
    assert [found.name for found in file.parent.iterdir()] == ["lapel.sqlite"], "what it needs no more is gone"
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_lock_whose_file_was_taken_away_is_nobodys(tmp_path: Path) -> None:
    """Whoever opens the file while its owner ends must not lock one that the next one does not find."""
    file = DatabaseFile(str(tmp_path / "lapel.sqlite"))
    first, second = file.locked(), file.locked()
    first.__enter__()
    with pytest.raises(DatabaseLocked), file.locked():
        pass
    os.unlink(tmp_path / "lapel.sqlite.lock")  # by hand
    with second:
        first.__exit__(None, None, None)
        with pytest.raises(DatabaseLocked), file.locked():
            pass
    assert list(tmp_path.iterdir()) == []
