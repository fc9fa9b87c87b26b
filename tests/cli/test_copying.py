"""``lapel db copy``, and what the other commands say of a copy that has not come to its end."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.server_process import free_port

MARK = '{"token": "1", "begun": "2026-01-01T00:00:00Z", "source": "sqlite data/lapel.sqlite"}'


@pytest.fixture
def file(lapel: Command, tmp_path: Path) -> Path:
    """A database with badges in it."""
    assert lapel("demo").code == 0
    return tmp_path / "lapel.sqlite"


def change(file: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement, values)


def test_there_and_back(
    lapel: Command, file: Path, tmp_path: Path, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET", postgres_dsn)
    secret = (tmp_path / "lapel.sqlite.master-key").read_text().strip()

    there = lapel("db", "copy", file, "env:TARGET")
    back = lapel("db", "copy", "env:TARGET", tmp_path / "back.sqlite", "--json")

    assert (there.code, back.code) == (0, 0), there.err + back.err
    assert "UTC; both sides hold the same.\nOf 4 sampled credentials, 4 verify" in there.out
    assert "LAPEL_MASTER_KEY_FILE" in there.out
    assert secret not in there.out + there.err
    told = json.loads(back.out)
    assert (told["ok"], told["verified"]) == (True, {"sampled": 4, "good": 4})
    digests = {table["table"]: table["digest"] for table in told["tables"]}
    assert all(digest in there.out for digest in digests.values())
    assert digests["credentials"] != digests["issuers"]
    monkeypatch.setenv("SQLITE_FILE", str(tmp_path / "back.sqlite"))
    assert "error: missing_master_key: " in lapel("db", "check").out  # it does not travel with the rows
    monkeypatch.setenv("LAPEL_MASTER_KEY_FILE", str(tmp_path / "lapel.sqlite.master-key"))
    assert lapel("db", "check").code == 0


def test_a_signature_that_is_not_of_its_issuers_key_fails_the_copy(lapel: Command, file: Path, tmp_path: Path) -> None:
    change(file, "UPDATE credentials SET signed = CAST(replace(signed, 'Laser', 'Lager') AS BLOB)")

    ended = lapel("db", "copy", file, tmp_path / "target.sqlite", "--json")

    assert ended.code == 1
    assert json.loads(ended.out)["code"] == "copy_differs"
    assert "is not that of its issuer's key" in ended.err


def test_a_target_in_use_or_the_source_itself_is_refused(lapel: Command, file: Path, tmp_path: Path) -> None:
    assert lapel("db", "copy", file, tmp_path / "target.sqlite").code == 0

    again, itself = lapel("db", "copy", file, tmp_path / "target.sqlite"), lapel("db", "copy", file, file)

    assert (again.code, itself.code) == (1, 1)
    assert "error: target_not_empty: The target is not empty: it has rows in " in again.err
    assert "error: same_database: " in itself.err


@pytest.mark.parametrize(
    ("source", "code"), [("missing.sqlite", "database_missing"), ("mysql://db", "bad_database_address")]
)
def test_a_source_that_is_none_is_refused_and_no_target_made(
    lapel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, code: str
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = lapel("db", "copy", source, "target.sqlite")

    assert ended.code == 1
    assert f"error: {code}: " in ended.err
    assert not (tmp_path / "target.sqlite").exists()


def test_no_setting_is_named_where_the_command_line_names_the_database(
    lapel: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SQLITE_FILE", "file")
    assert lapel("db", "migrate").code == 0
    monkeypatch.setenv("DB_CONNECT_TIMEOUT_MS", "100")
    (tmp_path / "text").write_text("no database" * 1000)
    change(tmp_path / "foreign", "CREATE TABLE orders (id integer)")
    expected = {
        ("postgresql://db/a b", "file"): "error: bad_settings: The source: SOURCE must be an address such as ",
        ("postgresql://a:b/c@db/name", "file"): "error: invalid_value: The source: SOURCE is not a PostgreSQL URL.",
        ("postgresql://127.0.0.1:1/name", "file"): "hint: Is it running, and is its address right?",
        ("text", "file"): "hint: Check that this is the file you mean.",
        ("foreign", "file"): "hint: Check that this is the database you mean.",
        ("sqlite:///file", "new"): "hint: Write sqlite:PATH.",
        ("file", "text/x"): "hint: Set TARGET to a path you can write.",
    }
    for (source, target), said in expected.items():
        ended = lapel("db", "copy", source, target)

        assert (ended.code, said in ended.err) == (1, True), ended.err
        assert "SQLITE_FILE" not in ended.err
        assert "DATABASE_URL" not in ended.err


def test_of_two_databases_the_one_that_cannot_be_opened_is_named(lapel: Command, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    other.write_text("no database")

    missing, foreign = lapel("db", "copy", tmp_path / "none.sqlite", other), lapel("db", "copy", file, other)

    assert "error: database_missing: The source: There is no database file" in missing.err
    assert "SQLITE_FILE" not in missing.err, "the command line names it"
    assert "error: database_corrupt: The target: " in foreign.err


@pytest.mark.parametrize("command", [("db", "status"), ("db", "check"), ("serve", "--port")])
def test_an_unfinished_target_is_named_by_every_command_and_served_by_none(
    lapel: Command, file: Path, command: tuple[str, ...]
) -> None:
    change(file, "INSERT INTO server_facts VALUES ('copy_begun', CAST(? AS BLOB))", MARK)

    ended = lapel(*command, *([str(free_port())] if command[0] == "serve" else []))

    assert ended.code == 1
    assert (
        "error: unfinished_copy: A copy from sqlite data/lapel.sqlite was started at 2026-01-01 00:00:00" in ended.err
    )
    assert "hint: " in ended.err
    if command[0] == "db":
        assert json.loads(lapel(*command, "--json").out)["code"] == "unfinished_copy"


def test_an_unfinished_target_is_copied_into_again(
    lapel: Command, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target.sqlite"
    monkeypatch.setenv("SQLITE_FILE", str(target))
    assert lapel("db", "migrate").code == 0
    change(target, "INSERT INTO server_facts VALUES ('copy_begun', CAST(? AS BLOB))", MARK)

    assert lapel("db", "copy", file, target).code == 0

    monkeypatch.setenv("LAPEL_MASTER_KEY_FILE", str(tmp_path / "lapel.sqlite.master-key"))
    assert lapel("db", "status").code == 0
