"""What docs/client.md shows, run as one program against a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from lapel.client import Client
from tests.http.live_server import ADMIN_KEY, live_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client.md"


def test_the_program_that_the_page_shows_runs(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- client -->\n```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == text.count("```python")

    with live_server({"LAPEL_RATE_LIMIT": "0", "SQLITE_FILE": str(tmp_path / "lapel.sqlite")}) as server:
        environment = {**os.environ, "LAPEL_URL": server.url, "LAPEL_KEY": ADMIN_KEY}
        command = [sys.executable, "-W", "error", "-c", "\n".join(blocks)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with server.client as http:
            stored = Client(server.url, http=http).get_credential(done.stdout.split()[1]).content

    assert done.stdout.startswith("True http")
    assert "/url" in done.stdout
    assert (tmp_path / "badge.json").read_bytes() == stored
