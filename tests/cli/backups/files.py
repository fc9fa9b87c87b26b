"""What is in a database's file, and what can be done to it behind Lapel's back."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.conftest import Command

__all__ = ["ROTATED", "ask", "change", "damage", "issue", "state_of"]

ROTATED = "0123456789abcdef" * 4
"""Another master key."""


def ask(file: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def issue(lapel: Command, achievement: str, file: Path, **members: str) -> None:
    file.write_text(json.dumps({"email": "late@example.org", "name": "Late", **members}) + "\n")
    ended = lapel("issue", file, "--achievement", achievement)
    assert ended.code == 0, ended.err


def damage(file: Path, table: str = "credentials") -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(b"\xff" * size)


def state_of(folder: Path) -> dict[str, bytes]:
    """Every file but those that SQLite makes to look at one."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(("-shm", "-wal"))}
