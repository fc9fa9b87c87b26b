"""A fresh encrypted database for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapel.database.interface import DatabaseSettings

KEY = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the environment names, with `KEY` in it."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    monkeypatch.setenv("SQLITE_KEY_FILE", str(file))
    return file


@pytest.fixture
def database_settings(tmp_path: Path) -> tuple[str, DatabaseSettings]:
    return "sqlite-encrypted", DatabaseSettings(sqlite_file=tmp_path / "fresh.sqlite")
