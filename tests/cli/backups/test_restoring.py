"""``lapel db restore`` on a file, and what it refuses."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lapel.bootstrap import open_database
from lapel.config import load_settings
from lapel.database.migrations.runner import MigrationStatus, head, plan, status
from lapel.database.sqlite.session import DIALECT
from lapel.maintenance.staging import sync_file
from tests.cli.backups.files import ROTATED, ask, change, damage, issue, state_of
from tests.cli.conftest import Command

REVISIONS = status((), ()).pending


def test_what_was_there_stays_beside_what_is_restored(
    lapel: Command, database: Path, backup: Path, achievement: str, tmp_path: Path
) -> None:
    issue(lapel, achievement, tmp_path / "late.jsonl")

    ended = lapel("db", "restore", backup)

    assert ended.code == 0, ended.err
    (kept,) = tmp_path.glob("lapel.sqlite.replaced-*")
    assert f"The previous database is kept as {kept}." in ended.out
    assert ask(database, "SELECT count(*) FROM credentials") == [(4,)]
    assert ask(kept, "SELECT count(*) FROM credentials") == [(5,)]
    assert database.stat().st_mode & 0o777 == kept.stat().st_mode & 0o777 == 0o600
    assert lapel("db", "check").code == 0
    newest = ask(database, "SELECT action, actor FROM audit_log ORDER BY id DESC LIMIT 1")
    assert newest == [("database.restored", "command-line")]


def test_what_is_restored_belongs_to_whom_the_database_belonged_or_else_its_folder(
    lapel: Command, database: Path, backup: Path, tmp_path: Path
) -> None:
    owner = 65534 if os.geteuid() == 0 else os.geteuid()  # root restores for the server's user
    for file in (tmp_path, database):
        os.chown(file, owner, -1)

    assert lapel("db", "restore", backup, "--discard").code == 0
    assert database.stat().st_uid == owner

    database.unlink()
    assert lapel("db", "restore", backup).code == 0
    assert database.stat().st_uid == owner


def test_what_is_written_at_the_last_moment_is_not_overlooked(
    lapel: Command, database: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_then_sync(file: Path) -> None:
        with closing(sqlite3.connect(database)) as beside, beside:
            beside.execute("UPDATE organisations SET name = 'late'")
        sync_file(file)

    with monkeypatch.context() as patched:
        patched.setattr("lapel.maintenance.restoring.sync_file", write_then_sync)
        refused = lapel("db", "restore", backup)

    assert (refused.code, "written to the database meanwhile" in refused.err) == (1, True)
    assert ask(database, "SELECT name FROM organisations") == [("late",)]
    assert lapel("db", "restore", backup).code == 0


def test_whoever_gives_up_at_the_last_moment_keeps_what_was_there(
    lapel: Command, database: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(state_of(database.parent))
    change(database, "UPDATE organisations SET name = 'late'")

    def interrupted(file: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        sync_file(file)

    monkeypatch.setattr("lapel.maintenance.restoring.sync_file", interrupted)

    assert lapel("db", "restore", backup).code == 130
    assert set(state_of(database.parent)) == before
    assert ask(database, "SELECT name FROM organisations") == [("late",)]


def test_what_was_there_goes_where_that_is_said(lapel: Command, database: Path, backup: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())

    assert lapel("db", "restore", backup, "--discard").code == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_lost_database_is_restored_with_its_key(lapel: Command, database: Path, backup: Path) -> None:
    database.unlink()

    ended = lapel("db", "restore", backup)

    assert ended.code == 0, ended.err
    assert "not known here" in ended.out
    assert ask(database, "SELECT count(*) FROM credentials") == [(4,)]


def leave_a_log(lapel: Command, database: Path, achievement: str, folder: Path) -> None:
    """A fifth credential that is in the log alone, as after a crash."""
    with closing(sqlite3.connect(database)) as holding:
        holding.execute("SELECT count(*) FROM credentials").fetchone()
        issue(lapel, achievement, folder / "late.jsonl")
        saved = {ending: Path(f"{database}{ending}").read_bytes() for ending in ("", "-wal")}
    for ending, content in saved.items():
        Path(f"{database}{ending}").write_bytes(content)
    assert saved["-wal"]


def test_the_log_of_the_old_file_is_not_read_into_the_new_one(
    lapel: Command, database: Path, backup: Path, achievement: str, tmp_path: Path
) -> None:
    leave_a_log(lapel, database, achievement, tmp_path)

    assert lapel("db", "restore", backup).code == 0

    (kept,) = tmp_path.glob("lapel.sqlite.replaced-*")
    assert ask(database, "SELECT count(*) FROM credentials") == [(4,)]
    assert ask(kept, "SELECT count(*) FROM credentials") == [(5,)]
    assert lapel("db", "check").code == 0


def test_a_damaged_file_gives_way_and_is_kept_with_its_log(
    lapel: Command, database: Path, backup: Path, achievement: str, tmp_path: Path
) -> None:
    leave_a_log(lapel, database, achievement, tmp_path)
    log = Path(f"{database}-wal").read_bytes()
    database.write_bytes(b"not a database" * 1000)

    assert lapel("db", "restore", backup).code == 0

    (kept,) = (path for path in tmp_path.glob("lapel.sqlite.replaced-*") if not path.name.endswith("-wal"))
    assert kept.read_bytes() == b"not a database" * 1000
    assert Path(f"{kept}-wal").read_bytes() == log
    assert ask(database, "SELECT count(*) FROM credentials") == [(4,)]
    assert lapel("db", "check").code == 0


def test_a_file_that_was_copied_with_its_log_is_restored_with_what_is_in_that(
    lapel: Command, database: Path, achievement: str, tmp_path: Path
) -> None:
    leave_a_log(lapel, database, achievement, tmp_path)
    for ending in ("", "-wal"):
        shutil.copy(f"{database}{ending}", tmp_path / f"copy.sqlite{ending}")

    assert lapel("db", "restore", tmp_path / "copy.sqlite").code == 0

    assert ask(database, "SELECT count(*) FROM credentials") == [(5,)]


def spoil(backup: Path, how: str) -> None:
    match how:
        case "damaged":
            damage(backup)
        case "cut":
            os.truncate(backup, 100_000)
        case "empty":
            os.truncate(backup, 0)
        case "no database":
            backup.write_bytes(b"not a database" * 1000)
        case "newer":
            change(backup, "UPDATE alembic_version SET version_num = '9999'")
        case "foreign":
            backup.unlink()
            change(backup, "CREATE TABLE orders (id integer)")
        case "hostile":
            change(
                backup,
                "CREATE TRIGGER unrevoked AFTER UPDATE OF revoked_at ON api_keys"
                " BEGIN UPDATE api_keys SET revoked_at = NULL WHERE id = NEW.id; END",
            )
        case "gone":
            backup.unlink()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("damaged", "unsound_copy"),
        ("cut", "database_corrupt"),
        ("empty", "unsound_copy"),
        ("no database", "database_corrupt"),
        ("newer", "database_newer"),
        ("foreign", "database_foreign"),
        ("hostile", "unsound_copy"),
        ("gone", "not_found"),
    ],
)
def test_what_is_no_good_backup_changes_nothing(
    lapel: Command, database: Path, backup: Path, tmp_path: Path, how: str, code: str
) -> None:
    spoil(backup, how)
    before = state_of(tmp_path)

    ended = lapel("db", "restore", backup)

    assert ended.code == 1
    assert f"error: {code}: " in ended.err
    assert "hint: " in ended.err
    assert state_of(tmp_path) == before


@pytest.mark.parametrize("state", ["another", "missing"])
def test_a_backup_of_another_master_key_is_refused(
    lapel: Command, database: Path, backup: Path, tmp_path: Path, state: str
) -> None:
    key = Path(f"{database}.master-key")
    key.unlink()
    if state == "another":
        key.write_text(ROTATED)
    before = state_of(tmp_path)

    ended = lapel("db", "restore", backup)

    assert ended.code == 1
    assert {"another": "wrong_master_key", "missing": "missing_master_key"}[state] in ended.err
    assert f"put it in {key}" in ended.err
    assert state_of(tmp_path) == before


def test_a_database_is_not_its_own_backup(lapel: Command, database: Path) -> None:
    ended = lapel("db", "restore", database)

    assert (ended.code, "is the database itself" in ended.err) == (1, True)


def test_nothing_is_replaced_under_whoever_has_it_open(
    lapel: Command, database: Path, backup: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("SELECT count(*) FROM credentials").fetchone()
        before = database.stat().st_ino

        ended = lapel("db", "restore", backup)

        assert (ended.code, "database_busy" in ended.err) == (1, True)
        assert database.stat().st_ino == before
    assert not list(tmp_path.glob("lapel.sqlite.replaced-*"))


def test_a_backup_of_an_earlier_version_is_made_as_it_is_and_migrated_when_it_is_restored(
    lapel: Command, tmp_path: Path
) -> None:
    database, backup = tmp_path / "lapel.sqlite", tmp_path / "backup.sqlite"
    earlier = MigrationStatus(current=None, head=head(), pending=REVISIONS[:6])
    change(database, *plan(DIALECT, earlier))
    Path(f"{database}.master-key").write_text(ROTATED)

    made = lapel("db", "backup", backup)
    assert ask(backup, "SELECT version_num FROM alembic_version") == [(REVISIONS[5],)]
    restored = lapel("db", "restore", backup)

    assert (made.code, restored.code) == (0, 0), made.err + restored.err
    assert f"The backup had schema {REVISIONS[5]} and was migrated." in restored.out
    assert ask(database, "SELECT version_num FROM alembic_version") == [(head(),)]
    assert lapel("db", "check").code == 0


def test_no_position_is_given_out_again_after_a_restore(
    lapel: Command, database: Path, backup: Path, achievement: str, tmp_path: Path
) -> None:
    lists = "SELECT status_list_id FROM credentials WHERE issue_key IS NOT NULL"
    issue(lapel, achievement, tmp_path / "late.jsonl")
    (lost,) = ask(database, lists)

    assert lapel("db", "restore", backup).code == 0
    issue(lapel, achievement, tmp_path / "later.jsonl", name="Later")

    (given,) = ask(database, lists)
    assert given != lost


def test_what_was_taken_away_since_the_backup_is_taken_away_again(
    lapel: Command, database: Path, achievement: str, tmp_path: Path
) -> None:
    issue(lapel, achievement, tmp_path / "late.jsonl")
    assert lapel("apikey", "create", "--role", "owner").code == 0
    key = re.search(r"(?m)^(\S{36})", lapel("apikey", "list").out) or pytest.fail("there is a key")
    backup = tmp_path / "backup.sqlite"
    assert lapel("db", "backup", backup).code == 0
    assert lapel("erase-recipient", "--yes", "late@example.org").code == 0
    assert lapel("apikey", "revoke", key[1]).code == 0
    change(
        database,
        "UPDATE credentials SET status = 'revoked', status_changed_at = created_at"
        " WHERE id = (SELECT min(id) FROM credentials)",
    )

    ended = lapel("db", "restore", backup)

    assert ended.code == 0, ended.err
    assert "Done again: 1 credentials erased, 1 API keys revoked, 0 signing keys marked as compromised." in ended.out
    assert ask(database, "SELECT count(*) FROM credentials WHERE erased_at IS NOT NULL AND length(signed) = 0") == [
        (1,)
    ]
    assert ask(database, "SELECT count(*) FROM api_keys WHERE revoked_at IS NOT NULL") == [(1,)]
    (revoked,) = ask(tmp_path.glob("lapel.sqlite.replaced-*").__next__(), "SELECT min(id) FROM credentials")
    assert f"valid again now; revoke them again if they should be:\n  {revoked[0]}\n" in ended.out
    assert lapel("db", "check").code == 0


def test_a_key_stays_compromised_since_the_earliest_time_that_was_given(
    lapel: Command, database: Path, tmp_path: Path
) -> None:
    ((issuer, key),) = ask(database, "SELECT issuer_id, id FROM signing_keys WHERE algorithm = 'Ed25519'")
    backup, since = tmp_path / "backup.sqlite", "SELECT max(compromised_at) FROM signing_keys"
    assert lapel("keys", "compromise", issuer, key, "--since", "2026-02-01T00:00:00Z").code == 0
    assert lapel("db", "backup", backup).code == 0
    assert lapel("keys", "compromise", issuer, key, "--since", "2026-01-01T00:00:00Z").code == 0
    earliest = ask(database, since)

    ended = lapel("db", "restore", backup)

    assert "1 signing keys marked as compromised." in ended.out
    assert ask(database, since) == earliest != ask(backup, since)


def test_either_a_file_or_what_is_in_place(lapel: Command, database: Path) -> None:
    for arguments in ((), ("backup.sqlite", "--in-place")):
        ended = lapel("db", "restore", *arguments)

        assert (ended.code, "--in-place" in ended.err) == (1, True)


def test_tables_with_nothing_in_them_are_not_taken_for_what_was_put_back(lapel: Command, tmp_path: Path) -> None:
    assert lapel("db", "migrate").code == 0
    (tmp_path / "lapel.sqlite.master-key").write_text(ROTATED)

    ended = lapel("db", "restore", "--in-place")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: unsound_copy: There is nothing in it but tables."), "no bar where nobody looks"


@pytest.mark.parametrize("arguments", [("backup.sqlite",), ("--in-place",)])
def test_nothing_is_restored_while_a_server_runs(
    lapel: Command, database: Path, backup: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(backup.parent)
    before = ask(database, "SELECT count(*) FROM audit_log")
    with open_database(load_settings({"SQLITE_FILE": str(database)})).served_by_nobody():  # holds what a server holds
        ended = lapel("db", "restore", *arguments)

    assert (ended.code, "A server is running on the database." in ended.err) == (1, True)
    assert ask(database, "SELECT count(*) FROM audit_log") == before
