"""A real pgbouncer before a PostgreSQL of the tests, on a Unix socket, set as docs/scaling.md says.

It is Debian's package `pgbouncer`, which continuous integration installs; elsewhere what needs it skips, and says so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import pytest

from tests.support.postgres_install import make_folder, unprivileged_account
from tests.support.source_tree import REPOSITORY
from tests.support.waiting import eventually

__all__ = ["Pgbouncer", "pgbouncer"]

_PORT = 6432  # only names the socket
_PAGE = REPOSITORY / "docs" / "scaling.md"


class Pgbouncer:
    """One that is running before all the databases of a server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def before(self, dsn: str) -> str:
        """The address by which the database at `dsn` is reached through it."""
        return urlunsplit(urlsplit(dsn)._replace(query=f"host={quote(str(self._folder))}&port={_PORT}"))


@contextmanager
def pgbouncer(dsn: str, **settings: str) -> Iterator[Pgbouncer]:
    """A pgbouncer before the server at `dsn`.

    Args:
        settings: its own, over those of the page; those that are empty are left out.
    """
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer, Debian's package of that name, is not here")
    account = unprivileged_account()  # it refuses to run as root
    folder = make_folder(account)
    parts = urlsplit(dsn)
    (host,), (port,) = (parse_qs(parts.query)[key] for key in ("host", "port"))
    ours = {"unix_socket_dir": str(folder), "logfile": str(folder / "log"), "listen_addr": "", "auth_file": ""}
    lines = {**_of_the_page(), **ours, "auth_type": "any", **settings}
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n* = host={host} port={port} user={parts.username}\n[pgbouncer]\n"
        + "".join(f"{key} = {value}\n" for key, value in lines.items() if value)
    )
    if account is not None:
        os.chown(configuration, account.uid, account.gid)
    process = subprocess.Popen(
        [program, "-q", str(configuration)],
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    try:
        socket = folder / f".s.PGSQL.{_PORT}"
        assert eventually(lambda: process.poll() is not None or socket.exists())
        assert process.poll() is None, (folder / "log").read_text()
        yield Pgbouncer(folder)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _of_the_page() -> dict[str, str]:
    found = re.search(r"<!-- pgbouncer -->\n```ini\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    parser = ConfigParser(interpolation=None)
    parser.read_string(found[1])
    return dict(parser["pgbouncer"])
