"""The command line, run in this process: quicker than a new one for each command."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from lapel.cli import main


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]

CLASS = """email,name,valid_from,valid_until,evidence_url,narrative,id
ada@example.org,Ada Brook,2026-01-31,2126-01-31,https://example.org/ada,Three nights.,s-1
ben@example.org,"Fields, Ben",2026-01-31T12:00:00+02:00,,,,s-2
"""


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment with nothing but a database of this test's own; logging as it was before."""
    for name in [name for name in os.environ if name.startswith(("LAPEL_", "DB_", "SQLITE_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SQLITE_FILE", str(tmp_path / "lapel.sqlite"))
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def lapel(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs ``lapel`` with some arguments."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lapel", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if not gc.get_freeze_count():
            gc.freeze()  # again: `lapel issue` thaws, at its end, what has been frozen for all the tests
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def achievement(lapel: Command) -> str:
    """The first of the demonstration's."""
    found = re.search(r"^Achievement +(\S+)", lapel("demo").out, re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "class.csv"
    path.write_text(CLASS)
    return path


def stored(tmp_path: Path) -> list[dict[str, object]]:
    """What was issued from files, oldest first."""
    with closing(sqlite3.connect(tmp_path / "lapel.sqlite")) as connection:
        rows = connection.execute("SELECT signed FROM credentials WHERE issue_key IS NOT NULL ORDER BY id")
        return [json.loads(signed) for (signed,) in rows]
