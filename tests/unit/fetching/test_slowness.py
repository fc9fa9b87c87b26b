"""Servers that are slow on purpose: each is given up in time, and holds up nobody else."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from lapel.domain.fetching import FetchFailed, FetchNotFound, FetchTimeout
from lapel.fetching.client import GuardedFetcher
from tests.unit.fetching.local_server import LocalServer, Names, answer


async def test_a_document_that_trickles_in_is_given_up_in_time(server: LocalServer) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.answers["/"] = trickle
    async with GuardedFetcher(allow_loopback_http=True, timeout=0.2) as fetcher:
        with pytest.raises(FetchTimeout):
            await fetcher.fetch(server.url("/"))


@pytest.mark.parametrize("line", [b"X: 1\r\n", b"x"], ids=["fields", "one field"])
async def test_a_head_that_trickles_in_is_given_up_in_time(server: LocalServer, line: bytes) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nY: ")
        while True:
            writer.write(line)
            await writer.drain()
            await asyncio.sleep(0.01)

    server.answers["/"] = trickle
    async with GuardedFetcher(allow_loopback_http=True, timeout=0.2) as fetcher:
        with pytest.raises(FetchTimeout):
            await fetcher.fetch(server.url("/"))


_FOUND = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_GONE = b"HTTP/1.1 410 Gone\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece", "error"),
    [
        (b"", b"HTTP/1.1 100 \r\n\r\n", FetchFailed),
        (_FOUND, b"1\r\n \r\n", FetchFailed),
        (_FOUND, b"1;%b\r\n \r\n" % (b"x" * 10_000), FetchFailed),
        (_GONE, b"1\r\n \r\n", FetchNotFound),
    ],
    ids=["answers before the answer", "chunks", "extensions of chunks", "chunks of an error"],
)
async def test_a_host_that_makes_work_with_small_pieces_is_given_up(
    server: LocalServer, head: bytes, piece: bytes, error: type[FetchFailed]
) -> None:
    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece * (60_000 // len(piece)))
            await writer.drain()

    server.answers["/"] = flood
    async with GuardedFetcher(allow_loopback_http=True, timeout=5, max_bytes=1_000_000) as fetcher:
        with pytest.raises(FetchFailed) as failed:
            await fetcher.fetch(server.url("/"))
    assert type(failed.value) is error


async def test_others_have_their_turn_while_small_pieces_are_taken_apart(server: LocalServer) -> None:
    pieces, turns = 3_000, 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    server.answers["/"] = b"HTTP/1.1 100 \r\n\r\n" * pieces + answer(b"{}")
    counting = asyncio.create_task(count())
    async with GuardedFetcher(allow_loopback_http=True) as fetcher:
        await fetcher.fetch(server.url("/"))
    counting.cancel()
    assert turns > pieces / 120


async def test_one_slow_host_does_not_hold_up_the_others(server: LocalServer) -> None:
    released = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.write(answer(b"{}"))
        await writer.drain()

    server.answers |= {"/slow": hang, "/": answer(b"{}")}
    async with GuardedFetcher(allow_loopback_http=True, concurrency=3, per_host=2) as fetcher:
        slow = [asyncio.create_task(fetcher.fetch(server.url("/slow"))) for _ in range(9)]
        await fetcher.fetch(server.url("/", host="localhost"))
        assert not any(task.done() for task in slow)
        released.set()
        await asyncio.gather(*slow)


async def test_a_look_up_that_never_ends_is_given_up_in_time() -> None:
    class Never(Names):
        async def resolve(self, host: str) -> list[str]:
            await asyncio.Event().wait()
            raise AssertionError(host)

    async with GuardedFetcher(resolver=Never({}), connect_timeout=0.05) as fetcher:
        with pytest.raises(FetchTimeout, match="looked up"):
            await fetcher.fetch("https://badges.example/")


async def test_look_ups_that_were_given_up_do_not_keep_others_from_theirs(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operating system goes on with them for ten seconds and more."""
    look_up, ended = socket.getaddrinfo, threading.Event()

    def slowly(host: str, *given: Any, **named: Any) -> Any:
        if host.endswith(".slow.example"):
            ended.wait(30)
        return look_up("localhost", *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    server.answers["/"] = answer(b"{}")
    async with GuardedFetcher(allow_loopback_http=True, concurrency=3, connect_timeout=0.3) as fetcher:
        try:
            for _ in range(2):
                slow = [fetcher.fetch(f"https://{number}.slow.example/") for number in range(3)]
                given_up = await asyncio.gather(*slow, return_exceptions=True)
                assert all(isinstance(each, FetchTimeout) for each in given_up)
            await fetcher.fetch(server.url("/", host="localhost"))
        finally:
            ended.set()


async def test_a_handshake_that_never_ends_is_given_up_in_time(server: LocalServer) -> None:
    # a server that speaks no TLS waits for the end of a request that never comes
    async with GuardedFetcher(allow_loopback_http=True, connect_timeout=0.1) as fetcher:
        with pytest.raises(FetchTimeout):
            await fetcher.fetch(server.url("/", scheme="https"))


async def test_only_so_many_fetches_run_at_once(server: LocalServer) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        writer.write(answer(b"{}"))
        await writer.drain()

    server.answers["/"] = slowly
    async with GuardedFetcher(allow_loopback_http=True, concurrency=3) as fetcher:
        await asyncio.gather(*(fetcher.fetch(server.url("/")) for _ in range(20)))
    assert server.connections == 20
    assert server.most_open <= 4  # the server sees a connection end a moment after the client does
