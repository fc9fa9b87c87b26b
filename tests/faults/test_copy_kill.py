"""`lapel db copy` killed at many moments, or out of room: nothing is kept, and the next copy brings everything."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from lapel.database.conformance import samples
from lapel.database.interface import DatabaseSettings
from lapel.maintenance.checking import check
from lapel.maintenance.copying import parse_address
from lapel.maintenance.copying.tables import count_rows
from tests.faults.conftest import Tell
from tests.faults.small_disk import SmallFileSystem, may_mount
from tests.support.databases import opened
from tests.support.forking import forked_lapel
from tests.support.server_process import LAPEL, free_port, without_settings

_AT_ONCE = 1_000
_STEPS = ("connected", "copy", "prove")


def settings_of(where: str) -> tuple[str, DatabaseSettings]:
    place = parse_address(where, {})
    if place.variable == "DATABASE_URL":
        return place.module, DatabaseSettings(url=place.address)
    return place.module, DatabaseSettings(sqlite_file=place.address)


async def fill(where: str, credentials: int) -> int:
    """Store so many. How many rows there are in all then."""
    async with opened(*settings_of(where)) as database:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.status_lists.reserve(scene.status_list, count=credentials)
        for start in range(0, credentials, _AT_ONCE):
            numbers = range(start + 1, min(start + _AT_ONCE, credentials) + 1)
            async with database.transaction() as tx:
                await tx.credentials.create_many([scene.credential(number) for number in numbers])
        return sum((await counts_in(where)).values())


async def counts_in(where: str) -> dict[str, int]:
    async with opened(*settings_of(where)) as database, database.maintenance() as session:
        return await count_rows(session)


def lapel(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command on the target."""
    environment = {**without_settings(), **parse_address(target, {}).settings({}), "LAPEL_MASTER_KEY": "6b1f0c9d" * 8}
    return subprocess.run([forked_lapel(), *arguments], env=environment, capture_output=True, text=True, timeout=120)


def killed_at(source: str, target: str, moment: tuple[str, int]) -> bool:
    """Copy, and kill that as soon as it has come so far. Whether it was killed before its end."""
    command = [sys.executable, "-m", "tests.faults.copier", source, target]
    with subprocess.Popen(command, env=without_settings(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            doing, rows = line.split()
            if (_STEPS.index(doing), int(rows)) >= (_STEPS.index(moment[0]), moment[1]):
                process.kill()
                break
        process.stdout.read()
    assert process.returncode in (0, -9)
    return process.returncode != 0


@pytest.mark.parametrize("direction", ["sqlite to postgresql", "postgresql to sqlite"])
async def test_a_killed_copy_leaves_a_mark_and_nothing_else(
    direction: str, cycles: int, tmp_path: Path, postgres_dsn: str, tell: Tell
) -> None:
    source, target = str(tmp_path / "lapel.sqlite"), postgres_dsn
    if direction.startswith("postgresql"):
        source, target = target, source
    rows = await fill(source, 3_000 if cycles == 1 else 100_000)
    chance = random.Random(rows)  # noqa: S311 - moments, not secrets
    moments = [("copy", rows // 2), ("prove", rows // 2), ("prove", rows)]
    moments += [(chance.choice(_STEPS[1:]), chance.randrange(rows)) for _ in range(cycles - 1)]
    kills = 0

    for moment in moments:
        if not killed_at(source, target, moment):  # it was quicker than the signal
            assert moment == ("prove", rows)
            break
        counts = await counts_in(target)
        if sum(counts.values()) == rows:  # the COMMIT was quicker
            assert moment == ("prove", rows)
            break
        kills += 1
        assert {name for name, count in counts.items() if count} <= {"organisations", "server_facts"}
        assert counts["server_facts"] == 1, "the mark"
        if kills == 1:
            refused = lapel(target, "serve", "--port", str(free_port()))
            assert refused.returncode == 1
            assert "error: unfinished_copy: A copy from " in refused.stderr
    else:
        assert not killed_at(source, target, ("prove", rows + 1)), "nobody kills this one"

    assert sum((await counts_in(target)).values()) == rows
    assert await counts_in(target) == await counts_in(source)
    async with opened(*settings_of(target)) as database:
        assert [finding async for finding in check(database)] == []
    assert kills >= len(moments) - 1
    tell(f"{direction}: {kills} copies of {rows} rows were killed; the next one was whole")


@pytest.mark.skipif(not may_mount(), reason="needs a small file system")
async def test_a_copy_that_fills_the_disk_gives_its_room_back(tmp_path: Path) -> None:
    source = tmp_path / "lapel.sqlite"
    await fill(str(source), 3_000)
    disk = SmallFileSystem(tmp_path / "small")
    disk.folder.mkdir()
    script = f"""
    head -c $((64 * 1024 * 1024 - {source.stat().st_size * 3 // 4})) /dev/zero > "$1/ballast"
    "$0" db copy "$2" "$1/copy.sqlite"
    echo "status $?"
    du --apparent-size --block-size=K --total "$1"/copy.sqlite* | tail -n 1
    """

    command = [*disk.within, "bash", "-c", script, str(LAPEL), str(disk.folder), str(source)]
    ended = subprocess.run(command, env=without_settings(), capture_output=True, text=True, check=False)

    status, room = ended.stdout.splitlines()[-2:]
    assert status == "status 1", ended.stderr
    assert "error: database_full: " in ended.stderr
    assert int(room.partition("K")[0]) < 500, "the tables and the mark"
