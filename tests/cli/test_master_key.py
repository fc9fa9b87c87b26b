"""What ``lapel db check`` and ``lapel db status`` tell of the master key that is configured."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lapel.credentials.key_storage.master_key import MasterKey
from tests.cli.conftest import Command, Outcome


@pytest.fixture
def key_file(lapel: Command, tmp_path: Path) -> Path:
    """That of a database with a signing key in it."""
    assert lapel("demo").code == 0
    return tmp_path / "lapel.sqlite.master-key"


def both(lapel: Command) -> dict[str, Outcome]:
    """What the two commands say, in which no secret stands."""
    ended = {command: lapel("db", command) for command in ("check", "status")}
    told = [*ended.values(), lapel("db", "check", "--json"), lapel("db", "status", "--json")]
    assert not re.search(r"[0-9a-f]{64}", " ".join(one.out + one.err for one in told))
    return ended


def test_the_right_one_is_said_to_open_every_key(lapel: Command, key_file: Path) -> None:
    ended = both(lapel)

    assert [one.code for one in ended.values()] == [0, 0]
    assert "The master key opens every private key (2)." in ended["check"].out
    assert re.search(r"^master key +opens every private key \(2\)$", ended["status"].out, re.MULTILINE)
    told = json.loads(lapel("db", "status", "--json").out)
    assert told["masterKey"] == {"ok": True, "opened": 2, "detail": None}


def test_another_one_is_an_error(lapel: Command, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPEL_MASTER_KEY", MasterKey.generate().to_text())

    ended = both(lapel)

    assert [one.code for one in ended.values()] == [1, 1]
    sentence = "This database was made with another master key."
    assert f"error: wrong_master_key: {sentence}" in ended["check"].out
    assert sentence in ended["status"].out
    assert "hint: " in ended["status"].err
    assert "FILE.next" in " ".join(ended["status"].err.split())  # after a rotation that was interrupted
    assert json.loads(lapel("db", "status", "--json").out)["masterKey"] == {
        "ok": False,
        "opened": 0,
        "detail": sentence,
    }


def test_one_that_is_gone_is_an_error(lapel: Command, key_file: Path) -> None:
    key_file.unlink()

    ended = both(lapel)

    assert [one.code for one in ended.values()] == [1, 1]
    assert f"its file {key_file} is missing" in ended["check"].out
    assert f"its file {key_file} is missing" in ended["status"].out
    assert not key_file.exists()


def test_a_private_key_that_is_damaged_is_named(lapel: Command, key_file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "lapel.sqlite", isolation_level=None)) as connection:
        ((damaged,),) = connection.execute("SELECT min(id) FROM signing_keys")
        connection.execute("UPDATE signing_keys SET private_key_encrypted = zeroblob(80) WHERE id = ?", [damaged])

    ended = both(lapel)

    assert [one.code for one in ended.values()] == [1, 1]
    assert (
        f"error: unreadable_envelope: The private key of signing key {damaged} cannot be opened." in ended["check"].out
    )
    assert damaged in ended["status"].out


def test_where_none_is_told_that_is_a_note(
    lapel: Command, migrated_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_TYPE", "postgresql")
    monkeypatch.setenv("DATABASE_URL", migrated_postgres_dsn)

    ended = both(lapel)

    assert [one.code for one in ended.values()] == [0, 0]
    assert "note: missing_master_key: Nobody has looked whether it opens the private keys." in ended["check"].out
    assert re.search(r"^master key +not known here: ", ended["status"].out, re.MULTILINE)
    assert json.loads(lapel("db", "status", "--json").out)["masterKey"]["ok"] is None


def test_before_a_migration_there_is_nothing_to_open(lapel: Command, tmp_path: Path) -> None:
    (tmp_path / "lapel.sqlite").touch()

    assert json.loads(lapel("db", "status", "--json").out)["masterKey"]["detail"] is None
