"""``lapel db backup`` on a file, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.backups.files import ROTATED, ask, change, damage
from tests.cli.conftest import Command


def test_a_backup_is_one_verified_file_of_its_owner(lapel: Command, database: Path, tmp_path: Path) -> None:
    ended = lapel("db", "backup", tmp_path / "backup.sqlite")

    assert ended.code == 0
    assert re.search(r"all that was committed by 20\d\d-", ended.out)
    assert "4 of 4 credentials one by one" in ended.out
    assert f"It is in {database}.master-key: keep a copy of it elsewhere" in ended.out
    backup = tmp_path / "backup.sqlite"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert backup.read_bytes()[18:20] == b"\1\1", "it needs no log, so that it can be read where nothing can be written"
    assert ask(backup, "SELECT id, signed FROM credentials") == ask(database, "SELECT id, signed FROM credentials")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("backup")) == ["backup.sqlite"]


def test_a_backup_that_is_there_is_replaced_only_when_that_is_said(
    lapel: Command, database: Path, tmp_path: Path
) -> None:
    backup, stale = tmp_path / "backup.sqlite", tmp_path / "backup.sqlite-wal"
    backup.write_text("an earlier one")
    stale.write_text("of the earlier one")

    refused = lapel("db", "backup", backup)

    assert (refused.code, backup.read_text()) == (1, "an earlier one")
    assert "backup_exists" in refused.err
    assert lapel("db", "backup", backup, "--replace").code == 0
    assert ask(backup, "SELECT count(*) FROM credentials") == [(4,)]
    assert not stale.exists(), "SQLite would read it into the new one"


@pytest.mark.parametrize("ending", ["", "-wal", ".master-key", ".lock"])
def test_a_backup_never_takes_the_place_of_the_databases_own_files(lapel: Command, database: Path, ending: str) -> None:
    before = database.read_bytes()

    ended = lapel("db", "backup", f"{database}{ending}", "--replace")

    assert ended.code == 1
    assert "own_file" in ended.err
    assert database.read_bytes() == before


def test_the_master_key_is_written_apart_and_never_over_another(lapel: Command, database: Path, tmp_path: Path) -> None:
    key, own = tmp_path / "kept" / "key", Path(f"{database}.master-key")

    first = lapel("db", "backup", tmp_path / "one.sqlite", "--with-master-key", key)
    again = lapel("db", "backup", tmp_path / "two.sqlite", "--with-master-key", key)
    key.write_text(ROTATED)
    refused = lapel("db", "backup", tmp_path / "three.sqlite", "--with-master-key", key)

    assert (first.code, again.code) == (0, 0)
    assert key.stat().st_mode & 0o777 == 0o600
    assert own.read_text().strip() not in first.out
    assert refused.code == 1
    assert "backup_exists" in refused.err
    assert (key.read_text(), (tmp_path / "three.sqlite").exists()) == (ROTATED, False)


def test_a_backup_never_takes_the_place_of_the_master_key(
    lapel: Command, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, both = tmp_path / "key", tmp_path / "both"
    Path(f"{database}.master-key").rename(key)
    monkeypatch.setenv("LAPEL_MASTER_KEY_FILE", str(key))
    before = key.read_bytes()

    over_key = lapel("db", "backup", key, "--replace")
    one_file = lapel("db", "backup", both, "--replace", "--with-master-key", both)

    assert (over_key.code, "own_file" in over_key.err, key.read_bytes()) == (1, True, before)
    assert (one_file.code, "own_file" in one_file.err, both.exists()) == (1, True, False)


@pytest.mark.parametrize("asked", [False, True])
def test_without_the_databases_master_key_a_backup_says_so(
    lapel: Command, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    monkeypatch.setenv("LAPEL_MASTER_KEY", ROTATED)
    option = ["--with-master-key", tmp_path / "key"] if asked else []

    ended = lapel("db", "backup", tmp_path / "backup.sqlite", *option)

    assert "wrong_master_key" in ended.err
    assert ended.code == asked
    assert (tmp_path / "backup.sqlite").exists() is not asked
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("harm", ["page", "rows", "trigger"])
def test_a_damaged_database_gives_no_backup(lapel: Command, database: Path, tmp_path: Path, harm: str) -> None:
    if harm == "page":
        damage(database)
    elif harm == "trigger":
        change(database, "CREATE TRIGGER hostile AFTER UPDATE ON api_keys BEGIN DELETE FROM images; END")
    else:
        change(database, "UPDATE credentials SET signed = X'7B7D'")

    ended = lapel("db", "backup", tmp_path / "backup.sqlite")

    assert ended.code == 1
    assert "unsound_copy" in ended.err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("backup")]


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_shared_database_has_tools_of_its_own(
    lapel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://lapel:s3cret@db.example.org/lapel")

    ended = lapel("db", command, "lapel.dump")

    assert ended.code == 1
    assert "database_not_supported" in ended.err
    wanted = {
        "backup": "`pg_dump --format=custom --file=lapel.dump postgresql://lapel@db.example.org/lapel`",
        "restore": "`pg_restore --no-owner --exit-on-error --single-transaction"
        " --dbname=postgresql://lapel@db.example.org/lapel lapel.dump`",
    }
    assert wanted[command] in ended.err
    assert "s3cret" not in ended.err


def test_a_database_in_memory_is_no_file(lapel: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQLITE_FILE", ":memory:")

    ended = lapel("db", "backup", "backup.sqlite")

    assert (ended.code, "database_not_supported" in ended.err) == (1, True)
