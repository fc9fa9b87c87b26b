"""Commands of another user than the server's: root's leave the server what it can open, others say whose it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import lapel.serving.server_process  # noqa: F401 - a user without rights may be unable to load it
from tests.cli.conftest import Command
from tests.support.unprivileged import public_folder, unprivileged


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with public_folder() as path:
        monkeypatch.setenv("SQLITE_FILE", str(path / "data" / "lapel.sqlite"))
        yield path


def test_what_root_creates_belongs_to_the_owner_of_the_folder(lapel: Command, folder: Path) -> None:
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, owner, -1)

    assert lapel("demo").code == 0

    for created in (folder / "data", *(folder / "data").iterdir()):
        assert created.stat().st_uid == owner, created


@pytest.mark.parametrize(
    ("command", "kept", "said"),
    [
        ("db migrate", "lapel.sqlite", "The database file {} cannot be opened: {} belongs to"),
        ("db status", "lapel.sqlite", "The database file {} cannot be opened: {} belongs to"),
        ("apikey list", "lapel.sqlite.master-key", "The master key's file {} cannot be read: {} belongs to"),
        ("serve", "lapel.sqlite.lock", "The lock file {} cannot be opened: {} belongs to"),
    ],
)
def test_whose_a_file_is_that_may_not_be_used_is_said(
    lapel: Command, folder: Path, command: str, kept: str, said: str
) -> None:
    assert lapel("demo").code == 0
    data = folder / "data"
    (data / "lapel.sqlite.lock").touch()
    for file in (data, *data.iterdir()):
        file.chmod(0o777)
    (data / kept).chmod(0)

    with unprivileged() as (owner, user):
        ended = lapel(*command.split())

    assert ended.code == 1
    assert said.format(data / kept, data / kept) in ended.err
    assert f"belongs to {owner} (----------), and this runs as {user}." in ended.err
    assert "hint: Run this as the server's user" in ended.err


@pytest.mark.parametrize("command", ["apikey list", "db check", "db migrate", "serve"])
def test_whose_a_folder_is_that_may_not_be_entered_is_said(lapel: Command, folder: Path, command: str) -> None:
    assert lapel("demo").code == 0
    (folder / "data").chmod(0o600)

    with unprivileged() as (owner, user):
        ended = lapel(*command.split())

    (folder / "data").chmod(0o700)
    assert ended.code == 1
    assert f"{folder / 'data'} belongs to {owner} (drw-------), and this runs as {user}." in ended.err
