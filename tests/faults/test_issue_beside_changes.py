"""Keys, the achievement and the master key change while two processes issue one file beside a server under load.

Each row is issued once, and verifies. Whoever needs the new master key says so, and goes on when started again.
"""

from __future__ import annotations

import asyncio
import subprocess
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import Tell
from tests.faults.site import Site
from tests.faults.test_issue_kill import begin, written
from tests.support.forking import forked_lapel
from tests.support.load import Load
from tests.support.server_process import ADMIN_KEY, without_settings
from tests.support.waiting import eventually

ROWS = 600


@pytest.fixture(params=["sqlite", "two-processes"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """One server process, or two; the master key is in a file."""
    if request.param == "sqlite":
        site = Site(tmp_path)
    else:
        site = Site(tmp_path, dsn=request.getfixturevalue("postgres_dsn"), LAPEL_WORKERS="2")
    site.environment["DB_LOCK_TIMEOUT_MS"] = "60000"  # of several processes on one SQLite file some wait for long
    file = tmp_path / "master-key"
    file.write_text(site.environment.pop("LAPEL_MASTER_KEY"))
    site.environment["LAPEL_MASTER_KEY_FILE"] = str(file)
    return site


def lapel(site: Site, *arguments: str) -> None:
    """A command beside the server."""
    environment = {**without_settings(), **site.environment, "LAPEL_PORT": str(site.port)}
    subprocess.run([forked_lapel(), *arguments], env=environment, capture_output=True, timeout=120, check=True)


def changes(site: Site, achievement: str) -> None:
    """Keys and the achievement, over HTTP and by commands; then the master key, and a key that only this one opens."""
    base, headers = f"http://127.0.0.1:{site.port}/v3", {"Authorization": f"Bearer {ADMIN_KEY}"}
    with httpx.Client(headers=headers, trust_env=False, timeout=60) as client:
        (issuer,) = client.get(f"{base}/issuers").json()["items"]
        keys = f"{base}/issuers/{issuer['id'].rpartition('/')[2]}/keys"
        client.post(keys, json={"algorithm": "Ed25519"}).raise_for_status()
        lapel(site, "keys", "rotate", issuer["id"])
        client.patch(f"{base}/achievements/{achievement}", json={"name": "Sailing far"}).raise_for_status()
        (key,) = [key for key in client.get(keys).json()["items"] if key["state"] == "active"]
        status = f"{keys}/{key['id'].rpartition('/')[2]}/status"
        client.post(status, json={"state": "retired"}).raise_for_status()
    lapel(site, "keys", "rotate-master")
    lapel(site, "keys", "rotate", issuer["id"])


async def test_every_row_is_issued_once_whatever_changes_meanwhile(site: Site, tell: Tell) -> None:
    achievement = await site.achievement()
    file, outputs = site.folder / "rows.csv", [site.folder / name for name in ("one", "other", "again")]
    file.write_text("email,narrative\n" + "".join(f"s{number}@example.org,row {number}\n" for number in range(ROWS)))
    load = Load(site.port, achievement, connections=2)

    with site.server(), load.running():
        both = {output: begin(site, file, achievement, output) for output in outputs[:2]}
        # One that starts while the master key is being replaced may have read the old one: it is refused, and says so.
        for output, process in both.items():
            assert eventually(
                partial(lambda there, ends: written(there) or ends.poll() is not None, output, process), within=120
            )
        await asyncio.to_thread(changes, site, achievement)
        ended = [await asyncio.to_thread(process.wait, 300) for process in both.values()]
        refused = "master_key_replaced"
        assert await asyncio.to_thread(eventually, lambda: refused in {answer.code for answer in load.refused})
    for status, output in zip(ended, outputs, strict=False):
        said = output.with_suffix(".log").read_text()
        assert status == 0 or (refused in said and "Run the same command again to continue." in said), said
    assert {answer.code for answer in load.refused} == {refused}
    again = begin(site, file, achievement, outputs[2])
    assert again.wait(300) == 0, outputs[2].with_suffix(".log").read_text()

    later = Load(site.port, achievement, name="later", connections=1)
    with site.server(), later.running():
        assert await asyncio.to_thread(eventually, lambda: later.issued or later.refused)
    assert not later.refused
    found = await site.audit(load, later)
    assert found.stored == ROWS + len(load.issued) + len(later.issued)
    assert written(outputs[2]) == ROWS
    tell(f"{found}; the two ended with {ended}")
