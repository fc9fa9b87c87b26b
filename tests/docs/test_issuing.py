"""What docs/issuing.md tells to type, typed; and its table of columns."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

from lapel.cli.issuing.columns import COLUMNS
from tests.support.forking import forked_lapel

ISSUING = Path(__file__).resolve().parents[2] / "docs" / "issuing.md"


def test_the_commands_issue_a_class(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAPEL_", "DB_", "SQLITE_"))}
    environment = {**kept, "PATH": f"{forked_lapel().parent}:{os.environ['PATH']}"}
    block = re.search(r"<!-- issuing -->\n```bash\n(.*?)```", ISSUING.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    demo = subprocess.run(["lapel", "demo"], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    achievement = re.search(r"^Achievement +(\S+)", demo.stdout, re.MULTILINE)
    assert achievement

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block[1]],
        cwd=tmp_path,
        env={**environment, "ACHIEVEMENT": achievement[1]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = ["2 of 2 rows would be", "Issued 2 credentials", "Issued 0 credentials", "2 rows were issued before"]
    assert [words for words in said if words not in done.stderr] == []
    with zipfile.ZipFile(tmp_path / "badges.zip") as archive:
        assert len(archive.namelist()) == 5


def test_every_column_is_explained() -> None:
    table = "\n".join(re.findall(r"^\| (`.*?) \|", ISSUING.read_text(encoding="utf-8"), re.MULTILINE))
    assert sorted(re.findall(r"`(\w+)`", table)) == sorted(COLUMNS)
