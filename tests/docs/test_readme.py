"""The README's first badge, run literally: its shell commands, against the server that its first command starts."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server_process import free_port
from tests.support.waiting import eventually

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"<!-- first-badge -->\n```bash\n(.*?)```", re.DOTALL)
SHOWN_KEY = re.compile(r"^ {4}(lapel_\S+)$", re.MULTILINE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URL and the key of a server started as a new user starts it, in an empty folder."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LAPEL_", "DB_"))}
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [str(Path(sys.executable).parent / "lapel"), "serve", "--port", str(port)]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=output, stdout=output)
    try:
        url = f"http://127.0.0.1:{port}"
        assert eventually(lambda: process.poll() is not None or _answers(port), within=60), log.read_text()
        shown = SHOWN_KEY.search(log.read_text())
        assert shown, log.read_text()
        yield url, shown[1]
    finally:
        process.terminate()
        assert process.wait(60) == 0


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_first_badge_in_five_minutes(server: tuple[str, str], tmp_path: Path) -> None:
    assert shutil.which("curl"), "the README's commands use curl: install it to run this test"
    url, key = server
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    assert len(blocks) == 6
    script = "\n".join(["set -euo pipefail", *blocks])
    script = re.sub(r"^KEY=.*$", f"KEY={key}", script, count=1, flags=re.MULTILINE)
    script = re.sub(r"^LAPEL=.*$", f"LAPEL={url}", script, count=1, flags=re.MULTILINE)

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "This badge is valid." in done.stdout
    verdicts = re.findall(r'"valid":(true|false|null)', done.stdout)
    assert verdicts == ["true", "true", "false"], done.stdout
    assert (tmp_path / "badge.svg").read_bytes().lstrip().startswith(b"<")
