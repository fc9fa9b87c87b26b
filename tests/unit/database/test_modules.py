"""Choosing a database, its configuration, and the retries around it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lapel.database.errors import (
    InvalidValue,
    MissingDatabase,
    NotConnected,
    UnknownDatabaseType,
)
from lapel.database.factory import DatabaseFactory
from lapel.database.interface import DatabaseSettings
from lapel.database.postgresql.config_manager import masked
from lapel.database.postgresql.module import PostgresqlDatabase
from lapel.database.setting_tiers import SettingRefused
from lapel.database.sqlite.connection_manager import connect_stdlib
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


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:secret@db:5432/lapel", "postgresql://ada:***@db:5432/lapel"),
        ("postgres://ada:se%40cret@a,b/lapel?target_session_attrs=read-write", "postgres://ada:***@a,b/lapel?target_session_attrs=read-write"),
        ("postgresql:///lapel?password=secret&host=/run", "postgresql:///lapel?password=***&host=/run"),
        ("postgresql://ada@db/lapel", "postgresql://ada@db/lapel"),
    ],
)  # fmt: skip
def test_a_password_is_shown_nowhere(url: str, shown: str) -> None:
    assert masked(url) == shown
    settings = DatabaseSettings(url=url)
    assert "secret" not in repr(settings)
    assert "secret" not in str(PostgresqlDatabase(settings).configuration())


@pytest.mark.parametrize("url", ["", "mysql://db/lapel", "postgresql://db:port/lapel"])
async def test_a_url_that_cannot_be_understood_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidValue, match="DATABASE_URL"):
        await DatabaseFactory.with_installed_modules().create("postgresql", DatabaseSettings(url=url)).connect()


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
    assert file.parent.stat().st_mode & 0o777 == 0o700
