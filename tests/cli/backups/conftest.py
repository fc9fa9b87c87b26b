"""A database and its backup, made once and copied for each test."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.forking import forked_lapel
from tests.support.server_process import without_settings


@dataclass(frozen=True)
class Pattern:
    """A database with four credentials, its backup, and the first of its achievements: copied for each test."""

    folder: Path
    achievement: str


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Pattern:
    folder = tmp_path_factory.mktemp("pattern")
    environment = without_settings() | {"SQLITE_FILE": str(folder / "lapel.sqlite")}
    script = '"$0" demo && "$0" db backup backup.sqlite >&2'
    made = subprocess.run(
        ["sh", "-c", script, forked_lapel()],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"^Achievement +(\S+)", made.stdout, re.MULTILINE)
    assert found
    return Pattern(folder, found[1])


@pytest.fixture
def achievement(pattern: Pattern) -> str:
    return pattern.achievement


@pytest.fixture
def database(pattern: Pattern, tmp_path: Path) -> Path:
    for name in ("lapel.sqlite", "lapel.sqlite.master-key"):
        shutil.copy(pattern.folder / name, tmp_path)
    return tmp_path / "lapel.sqlite"


@pytest.fixture
def backup(pattern: Pattern, tmp_path: Path) -> Path:
    return Path(shutil.copy(pattern.folder / "backup.sqlite", tmp_path))
