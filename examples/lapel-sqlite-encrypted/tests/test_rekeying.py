"""A file comes under another key: all of it or nothing, and only while nobody uses it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from lapel_sqlite_encrypted.driver import EncryptedConnection
from lapel_sqlite_encrypted.key import Key, NotEncrypted, WrongKey
from lapel_sqlite_encrypted.rekey import main, rekey

from lapel.database.conformance.opening import opened
from lapel.database.errors import DatabaseBusy, DatabaseError
from lapel.database.interface import DatabaseSettings

PATHS = ":".join(sys.path)
NEW = Key("ab" * 32)
STORED = b"kept" * 1_000


async def made(file: Path, *, module: str = "sqlite-encrypted") -> bytes:
    """Store something in a new database; what the file is then."""
    async with opened(module, DatabaseSettings(sqlite_file=file)) as database, database.transaction() as tx:
        await tx.server_facts.put_if_absent("kept", STORED)
    return file.read_bytes()


def kept_in(file: Path, key: Key) -> bytes:
    with closing(EncryptedConnection(f"{file.as_uri()}?mode=ro", key)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ((value,),) = connection.execute("SELECT value FROM server_facts WHERE name = 'kept'").fetchall()
    assert isinstance(value, bytes)
    return value


@pytest.mark.parametrize("module", ["sqlite-encrypted", "sqlite"])
async def test_the_command_leaves_it_under_the_new_key_alone(
    tmp_path: Path, key_file: Path, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, new = tmp_path / "lapel.sqlite", tmp_path / "new.key"
    await made(file, module=module)
    new.write_text(NEW.digits)
    monkeypatch.setenv("SQLITE_FILE", str(file))
    monkeypatch.setattr(sys, "argv", ["lapel-sqlite-rekey", str(new), *(["--plain"] if module == "sqlite" else [])])

    main()

    assert str(new) in capsys.readouterr().out
    assert STORED not in file.read_bytes()
    assert kept_in(file, NEW) == STORED
    with pytest.raises(SystemExit, match=r"^error: database_key_wrong: .* another key.*\nhint: Set SQLITE_KEY_FILE "):
        main()
    with pytest.raises(WrongKey):
        rekey(file, old=Key.of_file(str(key_file)), new=NEW)


async def test_what_it_cannot_open_or_somebody_uses_it_leaves_alone(tmp_path: Path, key_file: Path) -> None:
    file, plain = tmp_path / "lapel.sqlite", tmp_path / "plain.sqlite"
    old = Key.of_file(str(key_file))
    before = await made(file)
    plain_before = await made(plain, module="sqlite")
    refused: list[tuple[Path, Key, type[DatabaseError]]] = [
        (file, NEW, WrongKey),
        (plain, old, NotEncrypted),
        (tmp_path / "nowhere", old, DatabaseBusy),
    ]
    for where, key, expected in refused:
        with pytest.raises(expected):
            rekey(where, old=key, new=NEW)
    async with opened("sqlite-encrypted", DatabaseSettings(sqlite_file=file, serves=True)):
        with pytest.raises(DatabaseBusy, match="locked"):
            rekey(file, old=old, new=NEW)
    assert kept_in(file, old) == STORED
    assert (file.read_bytes()[16:], plain.read_bytes()) == (before[16:], plain_before)
    assert not (tmp_path / "nowhere").exists()


KILLED_AT_3_MB = """
import resource, signal, sys
from pathlib import Path
from lapel_sqlite_encrypted.key import Key
from lapel_sqlite_encrypted.rekey import rekey

signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which ends the process at the write that is one too many
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
rekey(Path(sys.argv[1]), old=Key.of_file(sys.argv[2]), new=Key("ab" * 32))
"""


async def test_one_that_is_killed_half_way_leaves_all_under_the_old_key(tmp_path: Path, key_file: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    await made(file)
    old = Key.of_file(str(key_file))
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)"
    with closing(EncryptedConnection(f"{file.as_uri()}?mode=rw", old)) as connection:
        connection.execute(f"CREATE TABLE large AS {numbers} SELECT randomblob(1000) AS b FROM n").fetchall()
    before = file.read_bytes()

    ended = subprocess.run([sys.executable, "-c", KILLED_AT_3_MB, str(file), str(key_file)], env={"PYTHONPATH": PATHS})

    assert ended.returncode == -signal.SIGXFSZ
    assert file.with_name("lapel.sqlite-journal").stat().st_size > 1_000_000
    assert file.read_bytes() != before, "it was half way"
    with pytest.raises(WrongKey):
        rekey(file, old=NEW, new=NEW)
    with closing(EncryptedConnection(f"{file.as_uri()}?mode=rw", old)) as connection:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    assert kept_in(file, old) == STORED
    rekey(file, old=old, new=NEW)
    assert kept_in(file, NEW) == STORED
