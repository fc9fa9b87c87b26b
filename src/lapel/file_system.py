"""What the operating system says of files: whose they are, who may use them, and what kind of disk they are on."""

from __future__ import annotations

import os
import pwd
import re
import stat
from contextlib import suppress
from pathlib import Path

__all__ = ["MOUNTS", "access_problem", "give_owner_of", "network_file_system", "write_problem"]

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "lustre", "fuse.sshfs"})
_ESCAPED = re.compile(r"\\(\d{3})")  # a space is written as \040
MOUNTS = Path("/proc/self/mountinfo")
"""Linux's list of mounts."""


def give_owner_of(other: Path, file: Path) -> None:
    """If root runs this, give `file` to the owner of `other`: a server of that user could not open root's file."""
    if os.geteuid() == 0:
        status = other.stat()
        with suppress(PermissionError):  # root in a container may not be allowed to
            os.chown(file, status.st_uid, status.st_gid, follow_symlinks=False)


def access_problem(path: Path, mode: int) -> str | None:
    """Return why this process may not use a file or folder so; None if it may, or there is none.

    Args:
        mode: how, as for `os.access`.
    """
    folders = (folder for folder in reversed(path.absolute().parents) if os.path.isdir(folder))
    for place, needed in (*((folder, os.X_OK) for folder in folders), (path, mode)):
        if os.path.exists(place) and not os.access(place, needed, effective_ids=True):
            if os.statvfs(place).f_flag & os.ST_RDONLY:
                return f"{place} is on a disk that is mounted read-only"
            status = os.stat(place)
            permissions = stat.filemode(status.st_mode)
            return f"{place} belongs to {_user(status.st_uid)} ({permissions}), and this runs as {_user(os.geteuid())}"
    return None


def write_problem(file: Path) -> str | None:
    """Return why this process may not read and write a file, and others beside it; None if it may."""
    return access_problem(file, os.R_OK | os.W_OK) or access_problem(file.parent, os.W_OK)


def network_file_system(folder: Path, *, mounts: Path) -> str | None:
    """Return the type of the network file system that contains `folder`; None if it is local or unknown."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    path, mount_point, kind = folder.resolve(), "", ""
    for line in lines:  # proc(5): the mount point is the fifth field, the type follows the lone hyphen
        before, _, after = line.partition(" - ")
        candidate = _ESCAPED.sub(lambda escaped: chr(int(escaped[1], 8)), before.split()[4])
        if path.is_relative_to(candidate) and len(candidate) >= len(mount_point):
            mount_point, kind = candidate, after.split()[0]
    return kind if kind in _NETWORK else None


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # in a container, for example
        return f"user {number}"
