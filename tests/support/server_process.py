"""``lapel serve`` as a process of its own: started, asked, killed, and started again on the same data."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.support.forking import LAPEL, started

__all__ = [
    "ADMIN_KEY",
    "LAPEL",
    "answers",
    "children_of",
    "free_port",
    "kill",
    "log_of",
    "serving",
    "without_settings",
]

ADMIN_KEY = "an-admin-key-of-the-tests-own-0123456789"


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
    """End it and what it has started, all at once, as when the machine fails."""
    os.kill(server.pid, signal.SIGSTOP)  # so that it starts nothing meanwhile
    children = children_of(server.pid)
    for process in (*children, server.pid):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    server.wait(60)


def answers(port: int) -> bool:
    """Whether the server there is ready."""
    try:
        # It is plain http; reading the machine's trusted certificates would take longer than the answer.
        ready = httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False, verify=False)  # noqa: S501
    except httpx.TransportError:
        return False
    return ready.status_code == 200


def log_of(folder: Path, port: int) -> str:
    """What it has logged since it was last started."""
    return (folder / f"log-{port}").read_text()
