"""Working without root's rights, also where root runs the tests."""

from __future__ import annotations

import codecs
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres_install import unprivileged_account

__all__ = ["public_folder", "unprivileged"]


@contextmanager
def unprivileged() -> Iterator[tuple[str, str]]:
    """During the block, root is a user without rights. Yields the names of who runs the tests, and of who that is."""
    for encoding in ("ascii", "idna"):
        codecs.lookup(encoding)  # now, because that user may be unable to read Python's own files
    me, account = os.geteuid(), unprivileged_account()
    if account is not None:
        os.seteuid(account.uid)
    try:
        yield pwd.getpwuid(me).pw_name, pwd.getpwuid(os.geteuid()).pw_name
    finally:
        os.seteuid(me)


@contextmanager
def public_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
