"""What is no HTTP is answered 400 and the connection ended; what could be read in two ways is not read at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http.hostile import HOST, connected, exchange, read_to_the_end, replies
from tests.http.live_server import ADMIN_KEY, LiveServer, live_server

GET = b"GET /health/live HTTP/1.1\r\n"
POST = b"POST /v3/verify HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /health/ready HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT": "0"}) as running:
        yield running


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"FROB / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\r\n\r\n",
        b"GET  HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET health HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /hea\x00lth HTTP/1.1\r\n" + HOST + b"\r\n",
        "GET /hé HTTP/1.1\r\n".encode() + HOST + b"\r\n",
        b"GET /health/live HTTP/2.0\r\n" + HOST + b"\r\n",
        b"GET /health/live HTTP/9.9\r\n" + HOST + b"\r\n",
        b"CONNECT elsewhere.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
        GET + b"\r\n",
        GET + HOST + HOST + b"\r\n",
        GET + HOST + b"X: a\x00b\r\n\r\n",
        GET + HOST + b"X\x00: a\r\n\r\n",
        GET + HOST + b"X : a\r\n\r\n",
        GET + HOST + b"X: a\r\n b\r\n\r\n",
        GET.replace(b"\r\n", b"\r") + HOST + b"\r\n",
        POST + b"Content-Length: -5\r\n\r\nhello",
        POST + b"Content-Length: +5\r\n\r\nhello",
        POST + b"Content-Length: 0x5\r\n\r\nhello",
        POST + b"Content-Length: 99999999999999999999\r\n\r\nhello",
        CHUNKED + b"ZZ\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"5;a=" + b"b" * 600_000,
        CHUNKED + b"0\r\n" + b"X: a\r\n" * 200_000,
    ],
    ids=lambda sent: repr(sent[:60]),
)
def test_what_is_no_http_is_a_400_and_the_end(server: LiveServer, sent: bytes) -> None:
    (reply,) = exchange(server, sent)

    assert (reply.status, reply.problem["code"]) == (400, "malformed_request")
    assert reply.headers["connection"] == "close"
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.problem["request_id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ],
)
def test_a_body_that_could_end_in_two_places_is_not_read(server: LiveServer, fields: bytes) -> None:
    (reply,) = exchange(server, POST + fields + b"\r\n0\r\n\r\n" + SMUGGLED)

    assert reply.status == 400


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_a_transfer_coding_that_is_not_understood_is_a_501(server: LiveServer, fields: bytes) -> None:
    """RFC 9112, 6.1."""
    (reply,) = exchange(server, POST + fields + b"\r\n0\r\n\r\n" + SMUGGLED)

    assert (reply.status, reply.problem["code"]) == (501, "unknown_transfer_coding")


def test_chunks_do_not_go_with_http_1_0(server: LiveServer) -> None:
    sent = CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n" + SMUGGLED
    (reply,) = exchange(server, sent)

    assert (reply.status, reply.problem["code"]) == (400, "malformed_request")


def test_what_comes_after_the_body_is_no_header_field(server: LiveServer) -> None:
    request = (
        b"POST /v3/issuers HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nAuthorization: Bearer "
        + ADMIN_KEY.encode()
        + b"\r\n\r\n"
    )
    (reply,) = exchange(server, request)

    assert reply.status == 401


def test_an_address_may_name_a_host_and_means_this_one(server: LiveServer) -> None:
    (reply,) = exchange(
        server, b"GET http://elsewhere.example/health/live HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n"
    )

    assert (reply.status, reply.body) == (200, b'{"status":"live"}')


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_another_protocol_is_declined_by_answering_in_this_one(server: LiveServer, protocol: bytes) -> None:
    (reply,) = exchange(server, GET + HOST + b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n" + SMUGGLED)

    assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_those_before_a_malformed_request_are_answered_first(server: LiveServer) -> None:
    verify = POST + b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
    first, second, third = exchange(server, verify + GET + HOST + b"\r\n" + b"GARBAGE\r\n\r\n")

    assert (first.status, second.status, third.status) == (400, 200, 400)
    assert second.body == b'{"status":"live"}'
    assert third.problem["code"] == "malformed_request"


def test_a_body_that_goes_wrong_half_way_is_answered_once(server: LiveServer) -> None:
    with connected(server) as connection:
        connection.sendall(
            POST + b"Content-Type: text/plain\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"  # the handler waits for the body
        connection.sendall(b"5\r\nhello\r\nZZ\r\n")
        (reply,) = replies(read_to_the_end(connection))

    assert (reply.status, reply.problem["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("path", [b"/%00", b"/v3/%ff%fe", b"/v3/%zz", b"/../../etc/passwd"])
def test_an_odd_path_is_a_404(server: LiveServer, path: bytes) -> None:
    (reply,) = exchange(server, b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n")

    assert reply.status == 404
