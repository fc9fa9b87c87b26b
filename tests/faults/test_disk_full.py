"""The disk full under a server that writes to SQLite: it says so, goes on reading, and writes when there is room."""

from __future__ import annotations

import json
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.faults.outages import check_answers, happens, writes_go_on
from tests.faults.site import Site
from tests.faults.small_disk import FileSizeLimit, SmallDisk, SmallFileSystem, may_mount
from tests.support.load import Load, Request, asked


@pytest.fixture(params=[SmallFileSystem, FileSizeLimit])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> SmallDisk:
    """A small file system, and a limit on the size of files; where nothing may be mounted, that alone."""
    kind = request.param if may_mount() else FileSizeLimit
    made: SmallDisk = kind(tmp_path)
    return made


async def test_a_full_disk_is_named_and_read_from_and_written_to_again(
    disk: SmallDisk, tmp_path: Path, cycles: int, tell: Tell
) -> None:
    site = Site(tmp_path, SQLITE_FILE=str(disk.folder / "lapel.sqlite"))
    with site.server(within=disk.within) as server:
        load = Load(site.port, await achievement(site))
        with load.running():
            for _ in range(cycles):
                await writes_go_on(load, since=time.monotonic())
                known = load.issued[-1]
                disk.fill(server.pid)
                try:
                    await happens(partial(more_refused, load, len(load.refused) + 30), within=60)
                    await reading_goes_on(site, known.headers["location"], known.body)
                finally:
                    disk.empty(server.pid)
                await writes_go_on(load, since=time.monotonic())
        assert server.poll() is None
        site.file = disk.copy(server.pid, tmp_path)
        check_answers(load)
        found = await site.audit(load, everything=cycles > 1)
    codes = Counter(answer.code for answer in load.refused)
    tell(f"{cycles} times; {found}; {dict(codes)}")
    assert disk.full in codes
    assert set(codes) <= {"database_full", "database_storage_failure", "transaction_aborted"}
    assert all(json.loads(answer.body)["hint"] for answer in load.refused if answer.code == disk.full), (
        "it says what to do"
    )


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
