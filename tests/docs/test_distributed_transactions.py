"""What docs/distributed-transactions.md shows, run: the program, and recovery of what one has left."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lapel.database.errors import DatabaseError
from tests.support.forking import forked_lapel
from tests.support.server_process import without_settings
from tests.support.source_tree import REPOSITORY
from tests.support.two_databases import ask, leave_decided

PAGE = (REPOSITORY / "docs" / "distributed-transactions.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The code that stands after the comment of that name."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_the_program_opens_the_organisation_at_both_sites(two_dsns: list[str]) -> None:
    before = [len(asyncio.run(ask(dsn, "SELECT id FROM organisations"))) for dsn in two_dsns]
    environment = {**without_settings(), "HERE": two_dsns[0], "THERE": two_dsns[1]}
    command = [sys.executable, "-W", "error", "-c", block("distributed")]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    for dsn, number in zip(two_dsns, before, strict=True):
        found = asyncio.run(ask(dsn, "SELECT id::text FROM organisations"))
        assert len(found) == number + 1
        assert done.stdout.split()[-1] in found
        assert asyncio.run(ask(dsn, "SELECT action FROM audit_log")) == ["organisation.created"]


def test_its_commands_settle_what_is_left(two_dsns: list[str], tmp_path: Path) -> None:
    asyncio.run(leave_decided(*two_dsns))
    script = block("recover")
    for shown, dsn in zip(re.findall(r"postgresql://\S+", script), two_dsns, strict=True):
        script = script.replace(shown, f"'{dsn}'")
    environment = {**without_settings(), "PATH": f"{forked_lapel().parent}:/usr/bin:/bin"}

    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("committed: lapel-2pc:") == 2
    assert not re.search(r"^prepared", done.stdout, re.MULTILINE)
    assert [asyncio.run(ask(dsn, "SELECT count(*) FROM issuers")) for dsn in two_dsns] == [[1], [1]]


def test_every_code_of_the_page_is_one_of_ours() -> None:
    codes = {kind.code for kind in _kinds(DatabaseError)}
    named = set(re.findall(r"`((?:two_phase|database)_[a-z_]+)`", PAGE)) - {"two_phase_decisions"}
    assert named
    assert named <= codes


def _kinds(kind: type[DatabaseError]) -> Iterator[type[DatabaseError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _kinds(narrower)
