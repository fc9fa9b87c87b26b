"""The commands of docs/audit-and-erasure.md, and its tables."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from lapel.domain.audit import Action
from tests.support.forking import forked_lapel

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit-and-erasure.md"


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found, name
    return found[1]


def test_the_commands_do_what_is_said(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAPEL_", "DB_", "SQLITE_"))}
    environment = {**kept, "PATH": f"{forked_lapel().parent}:{os.environ['PATH']}"}

    def run(script: str) -> str:
        command = ["bash", "-c", f"set -euo pipefail\n{script}"]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    run("lapel demo")
    assert "credential.issued" in run(block("audit"))
    actions = [json.loads(line)["action"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "issuer.created" in actions
    assert run(block("prune")).startswith("Removed 0 entries")
    assert len(run(block("erase")).splitlines()) == 1


def test_every_action_is_explained() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [action for action in Action if f"`{action}`" not in text] == []
