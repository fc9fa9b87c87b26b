"""The disk full under a server that writes: it says so, goes on reading, and writes again when there is room."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.faults.outages import check_answers, happens, writes_go_on
from tests.faults.site import Site
from tests.faults.small_disk import FileSizeLimit, SmallDisk, SmallFileSystem, may_mount
from tests.support.connections import administer
from tests.support.load import Load, Request, asked
from tests.support.postgres_install import make_folder, unprivileged_account
from tests.support.postgres_server import PostgresServer
from tests.support.server_process import LAPEL, free_port, without_settings

_LOAD_MEGABYTES = 320
"""Room for all that the load stores in the long form, some 200 MB."""
_LIMITED = pytest.param(FileSizeLimit, marks=pytest.mark.long)


@pytest.fixture(params=[SmallFileSystem, _LIMITED] if may_mount() else [FileSizeLimit])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> SmallDisk:
    """A small file system; a limit on the size of files where nothing may be mounted, and in the long form."""
    if request.param is FileSizeLimit:
        return FileSizeLimit(tmp_path)
    folder = tmp_path / "small"
    folder.mkdir()
    return SmallFileSystem(folder, megabytes=_LOAD_MEGABYTES)


async def test_a_full_disk_is_named_and_read_from_and_written_to_again(
    disk: SmallDisk, tmp_path: Path, cycles: int, tell: Tell
) -> None:
    site = Site(tmp_path, SQLITE_FILE=str(disk.folder / "lapel.sqlite"))
    with site.server(within=disk.within) as server:
        load = Load(site.port, await achievement(site))
        await filled_and_emptied(site, load, disk, server.pid, cycles)
        assert server.poll() is None
        site.file = disk.copy(server.pid, tmp_path)
        found = await site.audit(load, everything=cycles > 1)
    codes = Counter(answer.code for answer in load.refused)
    tell(f"{cycles} times; {found}; {dict(codes)}")
    assert disk.full in codes
    assert set(codes) <= {"database_full", "database_storage_failure", "transaction_aborted"}
    assert all(json.loads(answer.body)["hint"] for answer in load.refused if answer.code == disk.full), (
        "it says what to do"
    )


@pytest.mark.skipif(not may_mount(), reason="needs a small file system")
@pytest.mark.parametrize("command", ["serve", "db check"])
def test_whoever_finds_the_disk_full_at_the_start_says_so(tmp_path: Path, command: str) -> None:
    disk = SmallFileSystem(tmp_path / "small")
    disk.folder.mkdir()
    script = f"""
    "$0" demo > "$1/told" && "$0" db status > "$1/told" || exit 7
    cat /dev/zero > "$1/ballast" 2> "$1/told"
    exec "$0" {command}
    """

    ended = subprocess.run(
        [*disk.within, "bash", "-c", script, str(LAPEL), str(disk.folder)],
        env=without_settings() | {"SQLITE_FILE": str(disk.folder / "lapel.sqlite"), "LAPEL_PORT": str(free_port())},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert ended.returncode == 1, ended.stderr
    assert "error: database_full: There is no room left" in ended.stderr
    assert "hint: Free some space on the database's disk" in ended.stderr


@pytest.mark.skipif(not may_mount(), reason="needs a small file system")
def test_a_disk_that_is_mounted_read_only_is_named(tmp_path: Path) -> None:
    disk = SmallFileSystem(tmp_path / "small")
    disk.folder.mkdir()
    script = '"$0" db migrate > "$1/told" && mount -o remount,ro "$1" || exit 7; exec "$0" db migrate'

    ended = subprocess.run(
        [*disk.within, "bash", "-c", script, str(LAPEL), str(disk.folder)],
        env=without_settings() | {"SQLITE_FILE": str(disk.folder / "lapel.sqlite")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert ended.returncode == 1, ended.stderr
    assert "is on a disk that is mounted read-only" in ended.stderr


@pytest.fixture
def postgres_on_small_disk() -> Iterator[tuple[PostgresServer, SmallFileSystem]]:
    """A server, and a small file system for one of its tablespaces."""
    account = unprivileged_account()
    if account is None or not may_mount():
        pytest.skip("only root can give PostgreSQL a small file system")
    folder = make_folder(account)
    disk = SmallFileSystem(folder, megabytes=_LOAD_MEGABYTES, uid=account.uid, gid=account.gid)
    try:
        with PostgresServer.temporary(within=disk.within) as postgres:
            yield postgres, disk
    finally:
        folder.rmdir()


async def test_a_full_tablespace_is_named_and_read_from_and_written_to_again(
    postgres_on_small_disk: tuple[PostgresServer, SmallFileSystem], tmp_path: Path, cycles: int, tell: Tell
) -> None:
    postgres, disk = postgres_on_small_disk
    await administer(postgres.dsn("postgres"), f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
    await administer(postgres.dsn("postgres"), "CREATE DATABASE lapel TEMPLATE template0 TABLESPACE small")
    site = Site(tmp_path, dsn=postgres.dsn("lapel"))
    load = Load(site.port, await site.achievement())
    with site.server() as server:
        assert postgres.pid is not None
        await filled_and_emptied(site, load, disk, postgres.pid, cycles)
        assert server.poll() is None
    found = await site.audit(load, everything=cycles > 1)
    codes = Counter(answer.code for answer in load.refused)
    tell(f"{cycles} times; {found}; {dict(codes)}")
    assert set(codes) == {"database_full"}


async def filled_and_emptied(site: Site, load: Load, disk: SmallDisk, process: int, cycles: int) -> None:
    """Under load: room, no room, and room again; reading goes on."""
    with load.running():
        for _ in range(cycles):
            await writes_go_on(load, since=time.monotonic())
            known = load.issued[-1]
            disk.fill(process)
            try:
                await happens(partial(more_refused, load, len(load.refused) + 30), within=60)
                await reading_goes_on(site, known.headers["location"], known.body)
            finally:
                disk.empty(process)
            await writes_go_on(load, since=time.monotonic())
    check_answers(load)


def more_refused(load: Load, than: int) -> bool:
    return len(load.refused) > than


async def achievement(site: Site) -> str:
    """An achievement defined over HTTP: the file is out of our sight."""
    (issuer,) = await asked(site.port, [Request("define", "", "POST", "/v3/issuers", {"name": "Harbour University"})])
    body = {
        "issuer": json.loads(issuer.body)["id"],
        "name": "Sailing",
        "description": "Sails.",
        "criteria": {"narrative": "Sail."},
    }
    (made,) = await asked(site.port, [Request("define", "", "POST", "/v3/achievements", body)])
    return str(json.loads(made.body)["id"])


async def reading_goes_on(site: Site, credential: str, signed: bytes) -> None:
    """What is stored is answered, from memory and from the file, and the server is ready for that."""
    path = credential.partition(str(site.port))[2]
    paths = (path, f"{path}?format=html", "/v3/credentials", "/health/ready")
    got = await asked(site.port, [Request("get", path, "GET", path) for path in paths])
    assert [answer.status for answer in got] == [200] * len(paths), got
    assert got[0].body == signed
