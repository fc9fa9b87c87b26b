"""``lapel db backup --json`` and ``lapel db restore --json``: one object, whatever becomes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lapel.database.migrations.runner import head
from tests.cli.backups.files import ROTATED, ask, change
from tests.cli.conftest import Command


def test_a_backup_says_what_is_in_it(lapel: Command, database: Path, tmp_path: Path) -> None:
    backup, key = tmp_path / "new.sqlite", tmp_path / "new.key"

    ended = lapel("db", "backup", backup, "--with-master-key", key, "--json")

    told = json.loads(ended.out)
    assert (ended.code, told["ok"], told["file"], told["schema"]) == (0, True, str(backup), head())
    assert told["bytes"] == backup.stat().st_size
    assert told["rows"]["credentials"] == told["verifiedCredentials"] == 4
    assert told["asOf"] >= told["lastChanged"]
    assert told["masterKey"] == {"ok": True, "file": f"{database}.master-key", "copy": str(key)}
    assert key.read_text().strip() not in ended.out


def test_a_backup_whose_master_key_is_not_known_says_so(
    lapel: Command, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPEL_MASTER_KEY", ROTATED)

    ended = lapel("db", "backup", tmp_path / "new.sqlite", "--json")

    told = json.loads(ended.out)
    assert (ended.code, told["ok"]) == (0, True)
    assert (told["masterKey"]["ok"], told["masterKey"]["code"]) == (False, "wrong_master_key")
    assert "warning: wrong_master_key" in ended.err


def test_a_restore_says_what_has_come_back_and_what_has_not(lapel: Command, database: Path, backup: Path) -> None:
    change(
        database,
        "UPDATE credentials SET status = 'revoked', status_changed_at = created_at"
        " WHERE id = (SELECT min(id) FROM credentials)",
    )
    ((revoked,),) = ask(database, "SELECT min(id) FROM credentials")

    ended = lapel("db", "restore", backup, "--json")

    told = json.loads(ended.out)
    (kept,) = database.parent.glob("lapel.sqlite.replaced-*")
    assert (ended.code, told["ok"], told["file"], told["kept"]) == (0, True, str(database), str(kept))
    assert told["backupSchema"] == told["schema"] == head()
    assert (told["rows"]["credentials"], told["verifiedCredentials"]) == (4, 4)
    assert told["statusListsClosed"] == 1
    assert told["takenAwayAgain"] == {"credentials": 0, "apiKeys": 0, "signingKeys": 0}
    assert told["validAgain"] == [revoked]


def test_what_gave_way_and_could_not_be_read_is_told_as_not_known(lapel: Command, database: Path, backup: Path) -> None:
    database.unlink()

    told = json.loads(lapel("db", "restore", backup, "--json").out)

    assert (told["ok"], told["kept"], told["takenAwayAgain"], told["validAgain"]) == (True, None, None, None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("backup", "backup.sqlite"), "backup_exists"),
        (("restore",), "invalid_input"),
        (("restore", "gone"), "not_found"),
    ],
)
def test_a_failure_is_an_object_too(
    lapel: Command, database: Path, backup: Path, arguments: tuple[str, ...], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(backup.parent)

    ended = lapel("db", *arguments, "--json")

    told = json.loads(ended.out)
    assert (ended.code, told["ok"], told["code"]) == (1, False, code)
    assert told["hint"]
    assert f"error: {code}: " in ended.err
