"""What docs/api.md tells to type, typed."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lapel.http.itemised import MAX_BYTES
from lapel.services.idempotency import RETENTION
from lapel.services.issuing.batches import MAX_BATCH_SIZE
from tests.http.live_server import ADMIN_KEY, live_server
from tests.support.source_tree import source_files

API = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_commands_issue_a_class_once_and_then_once_more(tmp_path: Path) -> None:
    block = re.search(r"<!-- api -->\n```bash\n(.*?)```", API, re.DOTALL)
    assert block
    with live_server({"SQLITE_FILE": ":memory:"}) as server:
        server.create("/v3/issuers", name="School")
        named = server.create("/v3/achievements", name="A", description="a", criteria={"narrative": "a"})["id"]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block[1]],
            cwd=tmp_path,
            env={**os.environ, "LAPEL": server.url, "KEY": ADMIN_KEY, "ACHIEVEMENT": named},
            capture_output=True,
            text=True,
            check=True,
        )
    decoder, answers, rest = json.JSONDecoder(), [], done.stdout
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:]
    first, again, other = answers
    assert first == again
    assert [len(answer["items"]) for answer in answers] == [2, 2, 2]
    assert first["items"] != other["items"]


def test_the_limits_are_told() -> None:
    assert f"1 to {MAX_BATCH_SIZE:,} bodies" in API
    assert f"up to {MAX_BYTES // 2**20} MiB" in API
    assert f"{RETENTION.total_seconds() / 3600:g} hours" in API


def test_every_code_of_a_wrong_member_is_told() -> None:
    told = set(re.findall(r"`([a-z0-9_]+)`", API[API.index("## Errors") :]))
    of_rows_of_a_file = {"erased", "id_taken"}
    used = {code for file in source_files("src") for code in codes_in(file.tree)}

    assert len(used) > 25
    assert used - of_rows_of_a_file <= told


def codes_in(program: ast.Module) -> Iterator[str]:
    """The third argument of whatever notes what is wrong with a member."""
    for node in ast.walk(program):
        if isinstance(node, ast.Call) and len(node.args) == 3:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            code = node.args[2]
            if name in ("add", "FieldError") and isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield code.value
