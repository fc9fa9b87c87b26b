"""How `lapel serve` ends: what was asked is answered, and who keeps a connection hears that it closes."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.server_process import answers, free_port, log_of, serving
from tests.support.waiting import eventually

LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
READY = b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v3/verify HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"


class Server:
    """A running server, and connections to it."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.port = port
        self.process = process

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def log(self) -> str:
        return log_of(self.folder, self.port)

    def refuses(self) -> bool:
        """Whether nobody takes a new connection; one that hangs in the beginning is not taken."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
        except OSError:
            return True
        return False


KEEPS_IDLE = """
import sys
from lapel.cli import main
from lapel.serving import draining
draining.IDLE_SECONDS = 3_600
sys.argv = sys.argv[1:]
main()
"""
"""The command, with connections kept for longer on which nothing is asked: else a slow machine might come too late."""


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    within = (sys.executable, "-c", KEEPS_IDLE) if getattr(request, "param", "") == "keeps idle" else ()
    with serving(tmp_path, port, within=within, LAPEL_DRAIN_SECONDS="30") as process:
        assert eventually(lambda: answers(port), within=60), log_of(tmp_path, port)
        yield Server(tmp_path, port, process)


def answer(connection: socket.socket) -> bytes:
    """One answer: its head and its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(1)
        assert piece, "the connection was closed instead of an answer"
        received += piece
    head, _, _ = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    body = b""
    while len(body) < int(length[1]):
        body += connection.recv(int(length[1]) - len(body))
    return received + body


def is_closed(connection: socket.socket) -> bool:
    return connection.recv(1) == b""


def asked(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    return answer(connection)


@pytest.mark.parametrize("server", ["keeps idle"], indirect=True)
def test_a_request_on_a_kept_connection_is_answered_and_told_that_it_closes(server: Server) -> None:
    with server.connection() as kept, server.connection() as held:
        assert b"connection: close" not in asked(kept, LIVE)
        held.sendall(POST + b"hel")
        server.process.send_signal(signal.SIGTERM)
        assert eventually(server.refuses)

        last = asked(kept, READY)

        assert last.startswith(b"HTTP/1.1 503")  # nothing new is to be sent here
        assert b'"status":"ending"' in last
        assert b"connection: close" in last
        assert is_closed(kept)
        held.sendall(b"lo")
        assert answer(held).startswith(b"HTTP/1.1 400")
        assert server.process.wait(60) == 0


def test_requests_that_were_sent_one_after_the_other_are_all_answered(server: Server) -> None:
    with server.connection() as connection:
        connection.sendall(POST + b"hel")
        assert eventually(lambda: answers(server.port))
        server.process.send_signal(signal.SIGTERM)
        assert eventually(server.refuses)

        connection.sendall(b"lo" + LIVE + LIVE)

        first, second, third = answer(connection), answer(connection), answer(connection)
        assert b"connection: close" not in first + second
        assert b"connection: close" in third
        assert is_closed(connection)
    assert server.process.wait(60) == 0


def test_a_request_that_has_begun_to_arrive_is_answered(server: Server) -> None:
    with server.connection() as connection, server.connection() as idle:
        connection.sendall(LIVE[:20])
        assert eventually(lambda: answers(server.port))
        server.process.send_signal(signal.SIGTERM)
        assert is_closed(idle)  # on which nothing was asked, after a moment

        assert asked(connection, LIVE[20:]).startswith(b"HTTP/1.1 200")
        assert is_closed(connection)
    assert server.process.wait(60) == 0


def test_a_second_signal_ends_it_at_once(server: Server) -> None:
    with closing(server.connection()) as connection:
        connection.sendall(POST + b"hel")
        assert eventually(lambda: answers(server.port))
        server.process.send_signal(signal.SIGTERM)
        assert eventually(server.refuses)
        assert server.process.poll() is None

        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(20) == 1  # of the thirty seconds that it might have taken
    assert "requests were cut off" in server.log()


def test_what_is_not_answered_in_time_is_cut_off(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port, LAPEL_DRAIN_SECONDS="1") as process:
        assert eventually(lambda: answers(port), within=60), log_of(tmp_path, port)
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(POST + b"hel")
            assert eventually(lambda: answers(port))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 1
    assert "requests were cut off" in log_of(tmp_path, port)
    assert "Traceback" not in log_of(tmp_path, port)
