"""An SQLite file that is moved away leaves its log behind, with what was stored last: nobody may throw that away."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import StorageFailure
from lapel.database.interface import DatabaseSettings
from lapel.database.sqlite.driver import connect_stdlib
from lapel.database.sqlite.module import SqliteDatabase
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.support.databases import opened

STORED = 20


async def store(database: SqliteDatabase) -> None:
    for _ in range(STORED):
        async with database.transaction() as tx:
            await tx.issuers.create(samples.issuer())


def stored_in(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (number,) = connection.execute("SELECT count(*) FROM issuers").fetchone()
        return int(number)


def log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def crash_image(file: Path, log: Path, folder: Path) -> Path:
    """What a crash at this moment would leave, were the file and its log beside each other."""
    folder.mkdir()
    shutil.copy(file, folder / "image.sqlite")
    shutil.copy(log, folder / "image.sqlite-wal")
    return folder / "image.sqlite"


async def database_in(file: Path, connect: Callable[[str], sqlite3.Connection] = connect_stdlib) -> SqliteDatabase:
    database = SqliteDatabase(DatabaseSettings(sqlite_file=file, serves=True, connect_seconds=0.1), connector=connect)
    await database.connect()
    await database.migrate()
    return database


async def test_one_that_is_closed_while_its_file_is_away_takes_everything_along(tmp_path: Path) -> None:
    file, aside = tmp_path / "lapel.sqlite", tmp_path / "aside.sqlite"
    database = await database_in(file)
    await store(database)
    file.rename(aside)
    await database.disconnect()

    assert stored_in(aside) == STORED


async def test_a_file_is_not_made_beside_the_log_of_one_that_is_gone(tmp_path: Path) -> None:
    database = await database_in(tmp_path / "lapel.sqlite")
    await store(database)
    image = crash_image(tmp_path / "lapel.sqlite", log_of(tmp_path / "lapel.sqlite"), tmp_path / "killed")
    await database.disconnect()
    image.rename(tmp_path / "aside.sqlite")

    with pytest.raises(StorageFailure, match="log"):
        await database_in(image)
    assert not image.exists()
    (tmp_path / "aside.sqlite").rename(image)
    async with opened("sqlite", DatabaseSettings(sqlite_file=image)) as again:
        assert len(await again.read().issuers.page(DEFAULT_ORGANISATION_ID, before=None, limit=100)) == STORED


@pytest.mark.parametrize("another", [False, True], ids=["gone", "replaced"])
@pytest.mark.parametrize("opens", ["health", "a snapshot"])
async def test_whoever_opens_it_in_the_moment_in_which_it_goes_leaves_the_log_alone(
    tmp_path: Path, opens: str, another: bool
) -> None:
    file, aside, other = tmp_path / "lapel.sqlite", tmp_path / "aside.sqlite", tmp_path / "other.sqlite"
    await (await database_in(other)).disconnect()
    armed = False

    def connect(path: str) -> sqlite3.Connection:
        nonlocal armed
        if armed:  # between the look at the file and the opening of it
            armed = False
            file.rename(aside)
            if another:
                shutil.copy(other, file)
        return connect_stdlib(path)

    database = await database_in(file, connect)
    try:
        await store(database)
        lent = [await database.manager.check_out_reader() for _ in range(3)]  # so that the next one is a new one
        before = log_of(file).stat()
        armed = True
        if opens == "health":
            assert not (await database.health()).ok
        else:
            with pytest.raises(StorageFailure):
                await database.manager.check_out_reader()
        for reader in lent:
            database.manager.check_in_reader(reader)
        assert not armed
        after = log_of(file).stat()
        assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
        assert stored_in(crash_image(aside, log_of(file), tmp_path / "image")) == STORED
    finally:
        await database.disconnect()
