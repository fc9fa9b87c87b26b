"""How answers leave: the head together with the body, and nothing held back that somebody waits for."""

from __future__ import annotations

import re
import socket
import struct
import sys
from collections.abc import Iterator

import pytest

from tests.http.live_server import LiveServer, live_server

DATA_SEGMENTS_IN = 152
"""Where Linux's ``struct tcp_info`` has the number of segments with data that have come."""

HEAD_END = b"\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server({"SQLITE_FILE": str(tmp_path_factory.mktemp("server") / "lapel.sqlite")}) as running:
        yield running


def connected(server: LiveServer) -> socket.socket:
    host, port = re.fullmatch(r"http://(.*):(\d+)", server.url).groups()  # type: ignore[union-attr]
    return socket.create_connection((host, int(port)), timeout=60)


def read_answer(connection: socket.socket, *, body: bool = True) -> tuple[bytes, bytes]:
    received = b""
    while HEAD_END not in received:
        received += connection.recv(65536)
    head, _, rest = received.partition(HEAD_END)
    length = re.search(rb"content-length: (\d+)", head)
    while body and length and len(rest) < int(length[1]):
        rest += connection.recv(65536)
    return head, rest


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell how many packets came")
def test_head_and_body_come_in_one_packet(server: LiveServer) -> None:
    with connected(server) as connection:
        for number in (1, 2, 3):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            head, body = read_answer(connection)
            assert (head[:15], body) == (b"HTTP/1.1 200 OK", b'{"status":"live"}')
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            assert struct.unpack_from("=I", told, DATA_SEGMENTS_IN)[0] == number


def test_a_head_without_a_body_is_not_held_back(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        head, body = read_answer(connection, body=False)
        assert (head[:15], body) == (b"HTTP/1.1 200 OK", b"")


def test_a_client_is_told_to_go_on_before_it_sends_its_body(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(
            b"POST /v3/verify HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
            b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert read_answer(connection) == (b"HTTP/1.1 100 Continue", b"")
        connection.sendall(b"hello")
        assert read_answer(connection)[0].startswith(b"HTTP/1.1 400")


def test_the_last_answer_arrives_before_the_connection_ends(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := connection.recv(65536):
            received += piece
        assert received.endswith(b'{"status":"live"}')


def test_requests_sent_ahead_are_answered_in_order(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(
            b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /health/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        received = b""
        while piece := connection.recv(65536):
            received += piece
        assert received.index(b'{"status":"live"}') < received.index(b'"not_found"')
