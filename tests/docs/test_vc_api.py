"""What docs/vc-api.md tells to type, typed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.docs.test_operating import block
from tests.http.live_server import ADMIN_KEY, live_server

VC_API = Path(__file__).resolve().parents[2] / "docs" / "vc-api.md"


def test_the_command_issues_a_credential() -> None:
    with live_server({"SQLITE_FILE": ":memory:"}) as server:
        server.create("/v3/issuers", name="The workshop")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block("issue", VC_API)],
            env={"PATH": os.environ["PATH"], "LAPEL": server.url, "KEY": ADMIN_KEY},
            capture_output=True,
            text=True,
            check=True,
        )
        answer = json.loads(done.stdout)
        assert answer["credentialSubject"]["description"] == "may enter the workshop"
        path = answer["id"].removeprefix(server.url)
        assert server.get(path, accept="application/vc").json() == answer
