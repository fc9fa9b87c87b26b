"""What docs/operating.md tells an operator to type, typed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx

from lapel.database.metrics import MEASUREMENTS
from tests.support.waiting import eventually

OPERATING = Path(__file__).resolve().parents[2] / "docs" / "operating.md"


def block(name: str, page: Path = OPERATING) -> str:
    found = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{page} has no block {name}"
    return found[1]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without its settings, and with the command `lapel`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAPEL_", "DB_", "SQLITE_"))}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **settings}


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False, timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def test_the_steps_to_postgresql_lead_to_a_server_on_it(postgres_dsn: str, tmp_path: Path) -> None:
    assert shutil.which("openssl"), "the commands use openssl: install it to run this test"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = re.sub(r"^(export DATABASE_URL=).*$", rf"\1'{postgres_dsn}'", block("postgresql"), flags=re.MULTILINE)
    script = re.sub(r"^lapel serve", "exec lapel serve", script, flags=re.MULTILINE)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail\n{script}"],
            cwd=tmp_path,
            env=environment(LAPEL_PORT=str(port)),
            stdout=output,
            stderr=output,
        )
    try:
        assert eventually(lambda: process.poll() is not None or is_ready(port), within=60), log.read_text()
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        ended = process.wait(60)

    assert ended == 0
    assert re.search(r"^pending +none$", log.read_text(), re.MULTILINE)
    assert re.search(r"^ {4}lapel_\S+$", log.read_text(), re.MULTILINE)
    assert (tmp_path / "data" / "master-key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["master-key"]


def test_every_measurement_of_the_database_is_explained() -> None:
    text = OPERATING.read_text(encoding="utf-8")
    assert [name for name in MEASUREMENTS if f"`{name}`" not in text] == []


def test_the_backup_of_an_sqlite_file_is_one(tmp_path: Path) -> None:
    subprocess.run(["lapel", "demo"], cwd=tmp_path, env=environment(), check=True, capture_output=True)

    (tmp_path / "backup.sqlite").touch(mode=0o644)  # an earlier one that anybody could read

    subprocess.run(["bash", "-c", block("backup")], cwd=tmp_path, check=True)

    copy = sqlite3.connect(tmp_path / "backup.sqlite")
    try:
        assert copy.execute("SELECT count(*) FROM credentials").fetchone() == (4,)
    finally:
        copy.close()
    assert (tmp_path / "backup.sqlite").stat().st_mode & 0o777 == 0o600
