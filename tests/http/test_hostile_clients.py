"""What one client can make the server hold has an end: in size, in number and in time."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from lapel.serving import guarded_http
from lapel.serving.guarded_http import GuardedHttp
from tests.http.hostile import HOST, Reply, connected, exchange, read_to_the_end, replies
from tests.http.live_server import ADMIN_KEY, LiveServer, live_server
from tests.support.waiting import eventually

GET = b"GET /health/live HTTP/1.1\r\n" + HOST
POST = b"POST /v3/verify HTTP/1.1\r\nContent-Type: text/plain\r\n" + HOST
SETTINGS = {"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT": "0"}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server({**SETTINGS, "LAPEL_CLIENT_TIMEOUT_MS": "300"}) as running:
        yield running


def refused(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.problem["code"]


def send_for_ever(connection: socket.socket, piece: bytes) -> None:
    while True:
        connection.sendall(piece)


# Sizes and numbers


def test_an_address_has_a_longest_length(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /?" + b"a" * 8000 + b" HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
        assert replies(read_to_the_end(connection))[0].status == 303
    (reply,) = exchange(server, b"GET /?" + b"a" * 8200 + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert refused(reply) == (414, "address_too_long")


@pytest.mark.parametrize(
    "fields", [b"X: a\r\n" * 101, b"X: " + b"a" * 33_000 + b"\r\n", b"X: " + b"a" * 3_000_000 + b"\r\n"]
)
def test_header_fields_have_a_largest_size_and_number(server: LiveServer, fields: bytes) -> None:
    (reply,) = exchange(server, GET + fields + b"\r\n")
    assert refused(reply) == (431, "head_too_large")


def test_header_fields_that_have_no_end_are_not_read_for_ever(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(GET)
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            send_for_ever(connection, b"X: a\r\n" * 10_000)


def test_a_large_head_and_a_large_body_in_one_piece_are_told_apart(server: LiveServer) -> None:
    (reply,) = exchange(server, POST + b"Connection: close\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000)
    assert refused(reply) == (400, "unreadable_badge")


def test_only_so_many_requests_wait_for_those_before_them(server: LiveServer) -> None:
    *answered, last = exchange(server, (GET + b"\r\n") * 10_000)
    assert {reply.status for reply in answered} == {200}
    assert len(answered) == 65
    assert refused(last) == (429, "too_many_requests")


def test_a_form_has_few_parts(server: LiveServer) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nhi\r\n'
    body = part * 1000 + b"--x--\r\n"
    head = b"POST /v3/verify HTTP/1.1\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=x\r\n" + HOST
    (reply,) = exchange(server, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert refused(reply) == (400, "malformed_request")


# Time


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"\r\n",
        b"GET /hea",
        GET,
        GET + b"X: ",
        GET + b"\r\n" + GET,
        POST + b"Content-Length: 5\r\n\r\nhell",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_a_request_that_does_not_come_to_its_end_is_ended(server: LiveServer, begun: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(begun)
        answered = replies(read_to_the_end(connection))
    if begun.strip():
        assert refused(answered[-1]) == (408, "request_timeout")
    else:
        assert answered == []


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (GET, b"X: a\r\n"),
        (POST + b"Content-Length: 2000000\r\n\r\n", b"x"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
def test_one_that_comes_drop_by_drop_has_no_longer(server: LiveServer, begun: bytes, more: bytes) -> None:
    received = b""
    with connected(server) as connection:
        connection.sendall(begun)
        connection.settimeout(0.02)
        while not received:
            connection.sendall(more)
            try:
                received = connection.recv(65536)
            except TimeoutError:
                continue
    assert refused(replies(received)[0]) == (408, "request_timeout")


def test_a_body_that_nobody_wanted_is_not_waited_for(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(POST + b"Content-Length: 1000000000\r\n\r\nhello")
        (reply,) = replies(read_to_the_end(connection))
    assert refused(reply) == (413, "too_large")


def test_who_still_sends_when_all_is_said_gets_the_answer_and_no_reset(server: LiveServer) -> None:
    refused_at_once = b"POST /v3/issuers HTTP/1.1\r\nConnection: close\r\nContent-Length: 900000\r\n" + HOST + b"\r\n"
    with connected(server) as connection:
        connection.sendall(refused_at_once + b"x")
        while b"\r\n\r\n" not in (received := connection.recv(65536, socket.MSG_PEEK)):
            assert received
        connection.sendall(b"x" * 899_999 + GET + b"\r\n")
        (reply,) = replies(read_to_the_end(connection))
    assert refused(reply) == (401, "unauthorized")


def test_a_client_that_does_not_read_its_answers_is_cut_off(server: LiveServer) -> None:
    """`/openapi.json` is large; what it does not read stays in the server's buffer, and no more is put there."""
    with connected(server, receive_buffer=2048) as connection:
        connection.sendall((b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 60)
        own = connection.getsockname()
        assert eventually(lambda: own not in peers(server))


def peers(server: LiveServer) -> set[tuple[str, int]]:
    return {protocol.client for protocol in server.connections}


def test_the_work_on_a_request_has_an_end() -> None:
    with live_server({**SETTINGS, "LAPEL_REQUEST_TIMEOUT_MS": "200", "LAPEL_CLIENT_TIMEOUT_MS": "60000"}) as server:
        with connected(server) as connection:
            connection.sendall(POST + b"Content-Length: 5\r\n\r\nhell")  # the handler waits, the protocol has patience
            received = connection.recv(65536)
        (reply,) = replies(received)
        assert refused(reply) == (503, "took_too_long")
        assert server.get("/health/live").status_code == 200


# Connections


def test_when_one_more_connects_an_idle_one_has_to_go() -> None:
    with live_server({**SETTINGS, "LAPEL_MAX_CONNECTIONS": "4"}) as server:
        idle = [connected(server) for _ in range(30)]
        try:
            assert server.get("/health/live").status_code == 200
            assert eventually(lambda: len(server.connections) <= 4)
        finally:
            for connection in idle:
                connection.close()


def test_one_that_has_to_go_is_closed_at_once_though_it_has_begun_a_request() -> None:
    def is_closed(connection: socket.socket) -> bool:
        try:
            connection.sendall(b"x")
        except OSError:
            return True
        return False

    with live_server({**SETTINGS, "LAPEL_MAX_CONNECTIONS": "4"}) as server, ExitStack() as opened:
        begun = []
        for _ in range(8):
            begun.append(opened.enter_context(connected(server)))
            begun[-1].sendall(b"GET /hea")
            assert eventually(
                lambda: any(one._incomplete and one.client == begun[-1].getsockname() for one in server.connections)
            )
        gone = [connection for connection in begun if connection.getsockname() not in peers(server)]
        assert len(gone) == 4
        for connection in gone:
            assert eventually(partial(is_closed, connection))


def test_those_that_have_to_go_do_not_stay_in_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    most, at_once, made, lost = 0, set[GuardedHttp](), GuardedHttp.connection_made, GuardedHttp.connection_lost

    def connection_made(self: GuardedHttp, transport: asyncio.BaseTransport) -> None:
        nonlocal most
        at_once.add(self)
        most = max(most, len(at_once))
        made(self, transport)

    def connection_lost(self: GuardedHttp, error: Exception | None) -> None:
        at_once.discard(self)
        lost(self, error)

    def has_begun(own: object) -> bool:
        return any(one.client == own and one.cycle for one in list(at_once))

    monkeypatch.setattr(GuardedHttp, "connection_made", connection_made)
    monkeypatch.setattr(GuardedHttp, "connection_lost", connection_lost)
    monkeypatch.setattr(guarded_http, "MAX_CLOSING", 3)
    with live_server({**SETTINGS, "LAPEL_MAX_CONNECTIONS": "4"}) as server, ExitStack() as opened:
        for _ in range(24):
            slow = opened.enter_context(connected(server))
            slow.sendall(POST + b"Content-Length: 5\r\n\r\n")
            own = slow.getsockname()
            assert eventually(partial(has_begun, own))
    assert 4 < most <= 4 + 3 + 2  # the new one, and one that is aborted in the next turn of the loop


def test_a_slow_request_has_to_go_before_a_whole_one_does() -> None:
    with live_server({**SETTINGS, "LAPEL_MAX_CONNECTIONS": "1"}) as server, connected(server) as slow:
        slow.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert slow.recv(65536).startswith(b"HTTP/1.1 100")
        assert server.get("/health/live").status_code == 200
        (reply,) = replies(read_to_the_end(slow))
        assert refused(reply) == (503, "too_many_connections")


def test_where_all_are_at_work_one_more_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    body = b'{"name": "Waits"}'
    fields = b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n" % ADMIN_KEY.encode()
    whole = b"POST /v3/issuers HTTP/1.1\r\n" + HOST + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with (
        live_server({**SETTINGS, "SQLITE_FILE": str(file), "LAPEL_MAX_CONNECTIONS": "1"}) as server,
        closing(sqlite3.connect(file, isolation_level=None)) as another_process,
        connected(server) as busy,
    ):
        another_process.execute("BEGIN IMMEDIATE")
        busy.sendall(whole)
        assert eventually(lambda: any(one.cycle and not one._incomplete for one in server.connections))
        with connected(server) as one_more:
            (reply,) = replies(read_to_the_end(one_more))
            assert refused(reply) == (503, "too_many_connections")
            assert int(reply.headers["retry-after"]) >= 1
            (reply,) = exchange(server)  # though the one before it, which the server closes, could make room
            assert refused(reply) == (503, "too_many_connections")
        another_process.execute("ROLLBACK")
        assert busy.recv(65536).startswith(b"HTTP/1.1 201")


def test_clients_that_vanish_leave_nothing(server: LiveServer) -> None:
    before = len(server.connections)
    for begun in (b"", GET, GET + b"\r\n", POST + b"Content-Length: 5\r\n\r\nhe") * 20:
        connection = connected(server)
        connection.sendall(begun)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        connection.close()
    assert eventually(lambda: len(server.connections) <= before)
    assert server.get("/health/live").status_code == 200
