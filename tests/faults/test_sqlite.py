"""SQLite when things go wrong around it: a full disk, another writer, a second server."""

from __future__ import annotations

import asyncio
import fcntl
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import DatabaseFull, DatabaseLocked, StorageFailure
from lapel.database.interface import DatabaseSettings
from lapel.database.sqlite.database_file import DatabaseFile
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.support.databases import opened

REPOSITORY = Path(__file__).resolve().parents[2]
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@contextmanager
def write_lock_held(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing, until it gets a line."""
    with process("-c", HOLDER, str(file)) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.stdin.close()


def test_a_lock_that_is_given_back_at_that_moment_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is taken away then: a lock on that would keep no third server out."""
    file, ours = DatabaseFile(str(tmp_path / "lapel.sqlite")), ExitStack()
    ours.enter_context(file.locked())
    lock = fcntl.flock

    def locked_after_it_was_given_back(descriptor: int, how: int) -> None:
        ours.close()
        lock(descriptor, how)

    monkeypatch.setattr("lapel.database.sqlite.database_file.fcntl.flock", locked_after_it_was_given_back)
    with pytest.raises(DatabaseLocked), file.locked():
        pass
    with file.locked():  # there is none left from that
        pass


@pytest.mark.alone
async def test_another_writer_is_waited_for_without_stopping_the_event_loop(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as database:
        with write_lock_held(file) as holder:
            issuer = samples.issuer()

            async def write() -> None:
                async with database.transaction() as tx:
                    await tx.issuers.create(issuer)

            writing = asyncio.create_task(write())
            loop, longest = asyncio.get_running_loop(), 0.0
            until = loop.time() + 0.5
            while (before := loop.time()) < until:
                assert await database.read().issuers.default() is None
                await asyncio.sleep(0.005)
                longest = max(longest, loop.time() - before)
            assert not writing.done()
            assert longest < 0.4, "the event loop stood still"
            assert holder.stdin is not None
            holder.stdin.write("\n")
            holder.stdin.flush()
            await writing
        assert await database.read().issuers.get(issuer.id) == issuer


async def test_a_second_server_on_the_file_is_refused_and_a_command_is_not(tmp_path: Path) -> None:
    file, alias = tmp_path / "lapel.sqlite", tmp_path / "alias.sqlite"
    alias.symlink_to(file)
    async with opened("sqlite", DatabaseSettings(sqlite_file=file, serves=True)):
        for path in (file, alias):
            with pytest.raises(DatabaseLocked, match="Another server"):
                async with opened("sqlite", DatabaseSettings(sqlite_file=path, serves=True)):
                    pass
        async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as command:
            assert await command.read().organisations.find(DEFAULT_ORGANISATION_ID)
    async with opened("sqlite", DatabaseSettings(sqlite_file=alias, serves=True)):
        pass


async def test_two_processes_that_start_at_once_both_find_a_migrated_database(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from lapel.database.interface import DatabaseSettings\n"
        "from tests.support.databases import opened\n"
        "async def main():\n"
        "    async with opened('sqlite', DatabaseSettings(sqlite_file=sys.argv[1])) as database:\n"
        "        print((await database.migration_status()).pending)\n"
        "asyncio.run(main())\n"
    )
    started = [process("-c", code, str(tmp_path / "lapel.sqlite")) for _ in range(3)]
    assert [one.communicate()[0] for one in started] == ["()\n"] * 3
    assert [one.returncode for one in started] == [0] * 3


async def test_a_commit_that_finds_the_disk_full_is_told_to_all_and_forgotten_by_none(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    with process("-m", "tests.faults.full_disk", str(file)) as writer:
        shown = json.loads(writer.communicate()[0])
    assert len(shown["full"]) == 10
    assert set(shown["full"]) <= {"DatabaseFull", "StorageFailure", "TransactionAborted"}
    assert (shown["ok"], shown["read"], shown["after"]) == (True, True, "stored")
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT content FROM images").fetchall() == [(b"after",)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_statement_that_finds_the_disk_full_says_so_and_smaller_ones_go_on(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        connection = database.manager.writer.connection  # type: ignore[attr-defined]  # SQLite's own
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(DatabaseFull):
            async with database.transaction() as tx:
                await tx.images.create_if_absent(samples.image(b"x" * 1_000_000))
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
        assert await database.read().issuers.get(issuer.id) == issuer


async def test_health_is_red_when_the_file_was_removed(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as database:
        kept = file.rename(tmp_path / "elsewhere.sqlite")
        health = await database.health()
        assert not health.ok
        assert health.detail is not None
        assert "removed" in health.detail
        kept.rename(file)
        assert (await database.health()).ok


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "lapel.sqlite", tmp_path):
        with pytest.raises(StorageFailure, match=str(tmp_path)):
            async with opened("sqlite", DatabaseSettings(sqlite_file=path, connect_seconds=0.1)):
                pass


async def test_nothing_is_acknowledged_that_goes_to_a_file_that_was_replaced(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as database:
        file.rename(tmp_path / "aside.sqlite")
        file.write_bytes(b"")
        with pytest.raises(StorageFailure, match="replaced"):
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
