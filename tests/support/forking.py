"""``lapel`` as a process of its own, forked from one that has loaded it: for what is not about the start of one.

Each process of tests has one such, from the first command on to its own end; see `tests.support.forking_server`.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

__all__ = ["LAPEL", "forked_lapel", "started"]

LAPEL = Path(sys.executable).with_name("lapel")
"""The installed command."""
REPOSITORY = Path(__file__).resolve().parents[2]
_CAN_FORK = hasattr(os, "pidfd_open")  # elsewhere than on Linux the installed command does it all, only slower
_UMASK = 0o022
_COMMAND = """\
#!{python} -IS
import json, os, signal, socket, sys
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect({address!r})
umask = os.umask(0o77)
os.umask(umask)
given = json.dumps([sys.argv, os.getcwd(), umask, dict(os.environ)]).encode()
socket.send_fds(connection, [given], [0, 1, 2])
pid = int(connection.recv(64))
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(pid, number))
status = int(connection.recv(64))
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@cache
def _folder() -> Path:
    """Where the socket and the command are. Starts what listens there."""
    folder = Path(tempfile.mkdtemp(prefix="lapel-forking-"))
    command = folder / "lapel"
    command.write_text(_COMMAND.format(python=sys.executable, address=str(folder / "socket")))
    command.chmod(0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(folder / "socket"))
        listening.listen()
        number = str(listening.fileno())
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forking_server", number],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )

    def end() -> None:
        server.communicate()
        shutil.rmtree(folder)

    atexit.register(end)
    return folder


def forked_lapel() -> Path:
    """The command ``lapel``, for what runs to its end, or to a signal to end.

    It is not for what the parent of a process does to it: limits, another root, or to be killed.
    """
    return _folder() / "lapel" if _CAN_FORK else LAPEL


def started(arguments: Sequence[str], *, environment: Mapping[str, str], errors: IO[str]) -> subprocess.Popen[str]:
    """``lapel`` with these arguments, as a process to send signals to and to wait for; its input is empty."""
    if _CAN_FORK:
        return _Forked(arguments, environment=environment, errors=errors)
    nothing = subprocess.DEVNULL
    return subprocess.Popen(
        [LAPEL, *arguments], env=environment, stdin=nothing, stdout=nothing, stderr=errors, text=True
    )


class _Forked(subprocess.Popen[str]):
    _child_created = False  # by us: so nothing of the base class waits for it

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str], errors: IO[str]) -> None:
        self.args = ["lapel", *arguments]
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        self._waiting = threading.Lock()
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(str(_folder() / "socket"))
        given = json.dumps([self.args, str(Path.cwd()), _UMASK, dict(environment)]).encode()
        with open(os.devnull, "r+b") as nothing:
            socket.send_fds(self._connection, [given], [nothing.fileno(), nothing.fileno(), errors.fileno()])
        self.pid = int(self._connection.recv(64))

    def poll(self) -> int | None:
        """Its exit status, once it has ended."""
        if self._waiting.acquire(blocking=False):
            try:
                self._receive(0)
            finally:
                self._waiting.release()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, when it has ended."""
        with self._waiting:
            self._receive(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _receive(self, timeout: float | None) -> None:
        if self.returncode is not None:
            return
        self._connection.settimeout(timeout)
        try:
            self.returncode = int(self._connection.recv(64))
        except (BlockingIOError, TimeoutError):
            return
        self._connection.close()
