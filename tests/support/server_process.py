"""``lapel serve`` as a process of its own: started, asked, killed, and started again on the same data."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.support.forking import LAPEL, started
from tests.support.waiting import eventually

__all__ = [
    "ADMIN_KEY",
    "LAPEL",
    "answers",
    "children_of",
    "free_port",
    "kill",
    "log_of",
    "runs",
    "serving",
    "without_settings",
]

ADMIN_KEY = "an-admin-key-of-the-tests-own-0123456789"


_PORTS = range(20_000, 30_000)
"""Of those that a system gives to nobody who asks for any: else somebody might be given a server's before it starts."""
_claims: list[socket.socket] = []


def free_port() -> int:
    """A loopback port that nobody listens on, and that no other process of tests is given until this one ends."""
    for port in random.sample(_PORTS, len(_PORTS)):
        claim = socket.socket(type=socket.SOCK_DGRAM)  # of UDP, which is how the tests tell one another
        with socket.socket() as probe:
            try:
                claim.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        _claims.append(claim)
        return port
    raise AssertionError("no port is free")


def without_settings() -> dict[str, str]:
    """This process's environment without anything that Lapel would read."""
    ours = ("LAPEL_", "DB_", "DATABASE_", "SQLITE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@contextmanager
def serving(
    folder: Path, port: int, *, within: Sequence[str] = (), **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """``lapel serve`` on a database in `folder`; killed at the end if it still runs.

    Args:
        within: a command that prepares something and then becomes the one that is appended to it.
    """
    log = (folder / f"log-{port}").open("w")
    given = {**without_settings(), "SQLITE_FILE": str(folder / "lapel.sqlite"), **environment}
    arguments = ["serve", "--port", str(port)]
    if within:
        command = [*within, str(LAPEL), *arguments]
        process = subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL, stderr=log, text=True)
    else:
        process = started(arguments, environment=given, errors=log)
    try:
        yield process
    finally:
        log.close()
        if process.poll() is None:
            kill(process)
        process.wait(60)


def children_of(process: int) -> list[int]:
    """The processes that it has started, by their ids, oldest first."""
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:  # it has ended
        return []


def kill(server: subprocess.Popen[str]) -> None:
    """End it and what it has started, all at once, as when the machine fails; return when nothing is left of them."""
    os.kill(server.pid, signal.SIGSTOP)  # so that it starts nothing meanwhile
    children = children_of(server.pid)
    for process in (*children, server.pid):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    server.wait(60)
    assert eventually(lambda: not any(map(runs, children)))  # they hold its port


def runs(process: int) -> bool:
    """Whether it has not ended, by its id. One that has ended may wait for its parent for ever."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def answers(port: int) -> bool:
    """Whether the server there is ready."""
    try:
        # It is plain http; reading the machine's trusted certificates would take longer than the answer.
        ready = httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False, verify=False, timeout=60)  # noqa: S501
    except httpx.TransportError:
        return False
    return ready.status_code == 200


def log_of(folder: Path, port: int) -> str:
    """What it has logged since it was last started."""
    return (folder / f"log-{port}").read_text()
