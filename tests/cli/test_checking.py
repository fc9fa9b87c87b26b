"""``lapel db check``."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.server_process import answers, free_port, serving
from tests.support.waiting import eventually


@pytest.fixture
def file(lapel: Command, tmp_path: Path) -> Path:
    """A database with badges in it."""
    assert lapel("demo").code == 0
    return tmp_path / "lapel.sqlite"


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_sound_database_is_said_to_be_sound(lapel: Command, file: Path) -> None:
    ended = lapel("db", "check")

    assert ended.code == 0
    assert ended.out == "The master key opens every private key (2).\nThe database is sound.\n"


def test_what_is_wrong_is_said_with_what_to_do(lapel: Command, file: Path) -> None:
    change(file, "DROP INDEX ix_credentials_issuer_id_id", "CREATE TABLE mine (name text)")

    ended = lapel("db", "check")

    assert ended.code == 1
    assert "error: missing_in_schema: The index ix_credentials_issuer_id_id of credentials is missing" in ended.out
    assert "hint: Run `CREATE INDEX ix_credentials_issuer_id_id" in ended.out
    assert "note: not_ours: The table mine is not Lapel's." in ended.out


def test_what_an_operator_added_is_only_noted(lapel: Command, file: Path) -> None:
    change(file, "CREATE INDEX mine ON credentials (created_at)")

    assert lapel("db", "check").code == 0


def test_for_a_program_it_is_one_object(lapel: Command, file: Path) -> None:
    assert json.loads(lapel("db", "check", "--json").out) == {
        "ok": True,
        "module": "sqlite",
        "findings": [],
        "masterKey": {"ok": True, "opened": 2, "detail": None},
    }
    change(file, "UPDATE status_lists SET allocated = 0")

    ended = lapel("db", "check", "--json")

    report = json.loads(ended.out)
    assert (ended.code, report["ok"]) == (1, False)
    (finding,) = report["findings"]
    assert finding.keys() == {"code", "about", "detail", "hint", "isNote"}
    assert (finding["code"], finding["about"]) == ("broken_rows", "status_lists")


def test_before_a_migration_it_says_so(lapel: Command, tmp_path: Path) -> None:
    (tmp_path / "lapel.sqlite").touch()

    ended = lapel("db", "check")

    assert ended.code == 1
    assert "lapel db migrate" in ended.out


def test_a_file_that_is_no_database_is_told(lapel: Command, tmp_path: Path) -> None:
    (tmp_path / "lapel.sqlite").write_bytes(b"not a database" * 1_000)

    ended = lapel("db", "check")

    assert ended.code == 1
    assert "database_corrupt" in ended.out + ended.err


@pytest.mark.parametrize("command", ["check", "status"])
@pytest.mark.parametrize("state", ["missing", "no database", "cut", "foreign"])
def test_for_a_program_a_failure_is_one_object_too(lapel: Command, file: Path, command: str, state: str) -> None:
    content = file.read_bytes()
    file.unlink()
    match state:
        case "no database":
            file.write_bytes(b"not a database" * 1_000)
        case "cut":
            file.write_bytes(content[:5_000])
        case "foreign":
            change(file, "CREATE TABLE mine (name text)")

    ended = lapel("db", command, "--json")

    assert ended.code == 1
    told = json.loads(ended.out)
    if command == "check" and state == "foreign":
        told = {"ok": told["ok"]} | told["findings"][0]
    assert told["ok"] is False
    expected = {"missing": "database_missing", "foreign": "database_foreign"}.get(state, "database_corrupt")
    assert (told["code"], bool(told["detail"]), bool(told["hint"])) == (expected, True, True)


def test_a_damaged_page_is_told_once_for_its_table_in_the_databases_words(lapel: Command, file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'credentials'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(b"\xff" * size)

    ended = lapel("db", "check")

    assert ended.code == 1
    assert ended.out.count("Checking credentials failed") == 1
    assert "The database says: database disk image is malformed." in ended.out


def test_it_runs_beside_a_server(lapel: Command, file: Path, tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port, PATH=os.environ["PATH"]):
        assert eventually(lambda: answers(port), within=60)

        assert lapel("db", "check").code == 0

        assert answers(port)


def test_a_shared_database_is_checked_alike(lapel: Command, monkeypatch: pytest.MonkeyPatch, postgres_dsn: str) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_dsn)
    lapel("db", "migrate")

    assert lapel("db", "check").code == 0
