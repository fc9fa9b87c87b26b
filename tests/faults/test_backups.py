"""Backups under load, killed, and without room; restores killed at any step."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TypedDict

import pytest

from tests.faults.conftest import Tell
from tests.faults.killed_command import look
from tests.faults.outages import writes_go_on
from tests.faults.site import Site
from tests.faults.small_disk import SmallFileSystem, may_mount
from tests.support.forking import forked_lapel
from tests.support.load import Answer, Load
from tests.support.server_process import LAPEL, without_settings

REPOSITORY = Path(__file__).resolve().parents[2]


class Left(TypedDict):
    """What a kill has left; see `tests.faults.killed_command.main`."""

    ended: int
    left: int | str
    again: int
    then: int | str
    others: list[str]


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database of five credentials, and its backup, in which there are four."""
    folder = tmp_path_factory.mktemp("pattern")
    (folder / "late.jsonl").write_text('{"email": "late@example.org"}\n')
    script = """set -e
    achievement=$("$0" demo | sed -n 's/^Achievement *\\([^ ]*\\).*/\\1/p' | head -n 1)
    "$0" db backup backup.sqlite
    "$0" issue late.jsonl --achievement "$achievement"
    """
    environment = without_settings() | {"SQLITE_FILE": str(folder / "lapel.sqlite")}
    subprocess.run(["bash", "-c", script, forked_lapel()], cwd=folder, env=environment, check=True, capture_output=True)
    assert (look(folder / "lapel.sqlite"), look(folder / "backup.sqlite")) == (5, 4)
    return folder


def command(site: Site, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [forked_lapel(), "db", *map(str, arguments)],
        env={**without_settings(), **site.environment, "LAPEL_PORT": str(site.port)},
        capture_output=True,
        text=True,
        check=False,
    )


def holds(file: Path, answers: Sequence[Answer]) -> bool:
    """Whether everything that was acknowledged is in it."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT signed, status FROM credentials").fetchall()
    signed = {content for content, _ in rows}
    revoked = {json.loads(content)["id"] for content, status in rows if status == "revoked"}
    issued = {answer.body for answer in answers if answer.request.purpose == "issue" and answer.status == 201}
    withdrawn = {answer.request.about for answer in answers if answer.request.purpose == "revoke"}
    return issued <= signed and withdrawn <= revoked


async def test_a_backup_under_load_holds_what_was_acknowledged_before_it(
    tmp_path: Path, cycles: int, tell: Tell
) -> None:
    site, backup, meanwhile, longest = Site(tmp_path), tmp_path / "backup.sqlite", 0, 0.0
    load = Load(site.port, await site.achievement())
    with site.server(), load.running():
        for _ in range(cycles):
            await writes_go_on(load, since=time.monotonic())
            known, began = list(load.answers), time.monotonic()
            ended = await asyncio.to_thread(command, site, "backup", backup, "--replace")
            during = load.since(began)

            assert ended.returncode == 0, ended.stderr
            assert holds(backup, known)
            meanwhile += len(during)
            longest = max([longest, *(answer.seconds for answer in during)])
        before = site.file.stat().st_ino
        refused = await asyncio.to_thread(command, site, "restore", backup)
        assert (refused.returncode, site.file.stat().st_ino) == (1, before)
        assert "database_locked" in refused.stderr
    tell(f"{cycles} backups; {meanwhile} requests answered meanwhile, none later than {longest:.2f} s")
    assert meanwhile, "the server went on"
    await site.audit(load)
    restored = command(site, "restore", backup)
    assert restored.returncode == 0, restored.stderr
    assert holds(site.file, known)


def killed(pattern: Path, work: Path, *arguments: str, result: str, everywhere: bool) -> list[Left]:
    """What the command leaves, killed before each of its steps."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "tests.faults.killed_command", str(pattern), str(work), result),
            *("255" if everywhere else "5", "db", *arguments),
        ],
        cwd=REPOSITORY,
        env=without_settings() | {"SQLITE_FILE": str(work / "lapel.sqlite")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: list[Left] = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(found) >= 5
    assert {one["ended"] for one in found} == {-signal.SIGKILL}
    return found


def test_a_restore_killed_at_any_step_leaves_the_old_database_or_the_new_one(
    pattern: Path, tmp_path: Path, cycles: int, tell: Tell
) -> None:
    found = killed(pattern, tmp_path / "work", "restore", "backup.sqlite", result="lapel.sqlite", everywhere=cycles > 1)

    tell(f"{len(found)} kills; {sum(one['left'] == 5 for one in found)} left the old one")
    assert {one["left"] for one in found} == {4, 5}
    assert {(one["again"], one["then"]) for one in found} == {(0, 4)}
    assert not any(one["others"] for one in found)


def test_a_backup_killed_at_any_step_leaves_the_earlier_one_or_the_new_one(
    pattern: Path, tmp_path: Path, cycles: int, tell: Tell
) -> None:
    found = killed(
        pattern,
        tmp_path / "work",
        *("backup", "backup.sqlite", "--replace"),
        result="backup.sqlite",
        everywhere=cycles > 1,
    )

    tell(f"{len(found)} kills; {sum(one['left'] == 4 for one in found)} left the earlier one")
    assert {one["left"] for one in found} == {4, 5}
    assert {(one["again"], one["then"]) for one in found} == {(0, 5)}
    assert not any(one["others"] for one in found)


@pytest.mark.parametrize(
    ("arguments", "share"),
    [
        ("backup new.sqlite", 0.8),
        ("restore backup.sqlite", 0.3),
        pytest.param("backup new.sqlite", 0.3, marks=pytest.mark.long),
        pytest.param("restore backup.sqlite", 0.8, marks=pytest.mark.long),
    ],
)
def test_where_files_cannot_grow_nothing_half_is_left(
    pattern: Path, tmp_path: Path, arguments: str, share: float
) -> None:
    work = tmp_path / "work"
    shutil.copytree(pattern, work)
    kilobytes = int((pattern / "lapel.sqlite").stat().st_size * share) // 1024
    before = sorted(path.name for path in work.iterdir())

    ended = subprocess.run(
        ["bash", "-c", f'ulimit -f {kilobytes}; exec "$0" db {arguments}', str(LAPEL)],
        cwd=work,
        env=without_settings() | {"SQLITE_FILE": str(work / "lapel.sqlite")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "error: database_" in ended.stderr
    assert "hint: " in ended.stderr
    assert sorted(path.name for path in work.iterdir()) == before
    assert (look(work / "lapel.sqlite"), look(work / "backup.sqlite")) == (5, 4)


@pytest.mark.skipif(not may_mount(), reason="needs a small file system")
@pytest.mark.parametrize("share", [pytest.param(0.3, marks=pytest.mark.long), 0.8])
def test_a_full_disk_is_named_and_has_nothing_half_on_it(pattern: Path, tmp_path: Path, share: float) -> None:
    free = int((pattern / "lapel.sqlite").stat().st_size * share)
    disk = SmallFileSystem(tmp_path / "small")
    disk.folder.mkdir()
    script = f"""
    head -c $((64 * 1024 * 1024 - {free})) /dev/zero > "$1/ballast"
    "$0" db backup "$1/backup.sqlite"
    echo "status $?"
    ls "$1"
    """

    ended = subprocess.run(
        [*disk.within, "bash", "-c", script, str(LAPEL), str(disk.folder)],
        env=without_settings() | {"SQLITE_FILE": str(pattern / "lapel.sqlite")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout.splitlines() == ["status 1", "ballast"], ended.stdout + ended.stderr
    assert "error: database_full: " in ended.stderr
    assert "Free some space there" in ended.stderr
