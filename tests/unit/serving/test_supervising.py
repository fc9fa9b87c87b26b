"""The process that starts the others: it waits for none of them for ever, and hears what is meant for itself alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

_SUPERVISED = """
import os, signal, socket, sys
import structlog
from lapel.serving import supervising

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
listening = socket.create_server(("127.0.0.1", 0))
fork = os.fork

def supervise(serve):
    given = {"workers": 1, "serve": serve, "report": print, "drain_seconds": 0.0}
    raise SystemExit(supervising.Supervisor(listening, **given).run())

def serve_for_ever(slot):
    slot.set_ready(True)
    os.write(1, f"{os.getpid()}\\n".encode())
    while True:
        signal.pause()
"""

DEAF = """
supervising._AFTER_DRAIN_SECONDS = 0.2

def serve(slot):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve_for_ever(slot)

supervise(serve)
"""
"""A server whose processes do not listen when they are told to end."""

STRUCK = """
def fork_and_strike():
    pid = fork()
    if pid:
        os.fork = fork
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    return pid

os.fork = fork_and_strike
supervise(serve_for_ever)
"""
"""A server whose first process is told to end in the moment in which it begins."""


@contextmanager
def supervised(script: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """The first process, and what the others say: each its process id, once it serves."""
    with subprocess.Popen(
        [sys.executable, "-c", _SUPERVISED + script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server, server.stdout
        finally:
            server.kill()


def test_one_that_does_not_end_is_killed_when_it_is_renewed_and_at_the_end() -> None:
    with supervised(DEAF) as (server, said):
        first = int(said.readline())
        server.send_signal(signal.SIGHUP)
        second = int(said.readline())
        assert second != first
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == signal.SIGKILL


def test_a_signal_to_one_that_has_just_begun_is_not_taken_for_one_to_all() -> None:
    with supervised(STRUCK) as (server, said):
        assert int(said.readline()) > 0, "another one has taken its place"
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
