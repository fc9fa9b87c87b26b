"""What the operating system says of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapel.file_system import access_problem, network_file_system, write_problem
from tests.support.unprivileged import public_folder, unprivileged


@pytest.fixture
def folder() -> Iterator[Path]:
    with public_folder() as path:
        yield path


MOUNTS = """\
25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 25 0:45 / /srv/shared\\040files rw,relatime shared:20 - nfs4 server:/export rw,vers=4.2
41 40 8:2 / /srv/shared\\040files/local rw,relatime - xfs /dev/sdb1 rw
42 25 0:46 / /srv/données rw,relatime - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/shared files/lapel", "nfs4"),
        ("/srv/shared files/local/lapel", None),
        ("/srv/shared filesystem", None),
        ("/srv/données/lapel", "cifs"),
        ("/home", None),
    ],
)
def test_a_network_file_system_is_known_as_one(tmp_path: Path, folder: str, kind: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS, encoding="utf-8")
    assert network_file_system(Path(folder), mounts=mounts) == kind


def test_where_nobody_tells_of_mounts_none_is_refused(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, mounts=tmp_path / "none") is None


def test_what_may_be_used_or_is_not_there_is_no_problem(tmp_path: Path) -> None:
    assert write_problem(tmp_path / "file") is None
    (tmp_path / "file").touch()
    assert write_problem(tmp_path / "file") is None
    assert access_problem(tmp_path / "none" / "file", os.R_OK) is None
    assert access_problem(tmp_path / "file" / "no folder", os.F_OK) is None


def test_what_keeps_a_user_out_is_named_with_its_owner(folder: Path) -> None:
    file = folder / "file"
    file.touch(mode=0)
    with unprivileged() as (owner, user):
        assert write_problem(file) == f"{file} belongs to {owner} (----------), and this runs as {user}"
    file.chmod(0o666)
    folder.chmod(0o555)
    with unprivileged() as (owner, user):
        assert access_problem(file, os.R_OK) is None
        assert write_problem(file) == f"{folder} belongs to {owner} (dr-xr-xr-x), and this runs as {user}"
    folder.chmod(0o600)
    with unprivileged() as (owner, user):
        assert access_problem(file, os.R_OK) == f"{folder} belongs to {owner} (drw-------), and this runs as {user}"
