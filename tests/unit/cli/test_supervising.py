"""The process that starts the others: it waits for none of them for ever."""

from __future__ import annotations

import signal
import subprocess
import sys

DEAF = """
import os, signal, socket
from lapel.cli import supervising

supervising._AFTER_DRAIN_SECONDS = 0.2

def serve(place):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    place.serves(True)
    os.write(1, f"{os.getpid()}\\n".encode())
    while True:
        signal.pause()

listening = socket.create_server(("127.0.0.1", 0))
raise SystemExit(supervising.Supervisor(listening, workers=1, serve=serve, drain_seconds=0.0).run())
"""
"""A server whose processes do not listen when they are told to end."""


def test_one_that_does_not_end_is_killed_when_it_is_renewed_and_at_the_end() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DEAF], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            first = server.stdout.readline()
            server.send_signal(signal.SIGHUP)
            second = server.stdout.readline()
            assert second not in ("", first)
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == signal.SIGKILL
        finally:
            server.kill()
