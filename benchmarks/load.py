"""A small HTTP/1.1 load generator: many connections, one request at a time on each, in a process of its own.

It does as little as it can for each answer (status code and length), so that the server is what is measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import uvloop

__all__ = ["Load", "LoadResult", "request_bytes", "run_load"]


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: `requests` are sent in turn by every connection until `seconds` are over."""

    host: str
    port: int
    requests: Sequence[bytes]
    connections: int = 64
    seconds: float = 5.0
    warm_up_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came back after the warm-up."""

    per_second: float
    statuses: dict[int, int]
    median_ms: float
    p99_ms: float


def request_bytes(method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """One request as it goes over the wire."""
    parts = urlsplit(url)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def run_load(load: Load) -> LoadResult:
    """Run `load` in another process and wait for it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_in_process, (load,))


def _in_process(load: Load) -> LoadResult:
    return uvloop.run(_drive(load))


async def _drive(load: Load) -> LoadResult:
    loop = asyncio.get_running_loop()
    tally = _Tally()
    connections: list[_Connection] = []
    for number in range(load.connections):
        _, connection = await loop.create_connection(
            lambda number=number: _Connection(load.requests, number, load.connections, tally),  # type: ignore[misc]
            load.host,
            load.port,
        )
        connections.append(connection)
    await asyncio.sleep(load.warm_up_seconds)
    tally.reset()
    started = time.perf_counter()
    await asyncio.sleep(load.seconds)
    elapsed = time.perf_counter() - started
    statuses, latencies = dict(tally.statuses), sorted(tally.latencies)
    for connection in connections:
        connection.close()
    if not latencies:
        raise RuntimeError("no answers at all")
    return LoadResult(
        per_second=len(latencies) / elapsed,
        statuses=statuses,
        median_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
    )


class _Tally:
    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []

    def reset(self) -> None:
        self.statuses.clear()
        self.latencies.clear()


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Sequence[bytes], first: int, stride: int, tally: _Tally) -> None:
        self._requests = requests
        self._next = first
        self._stride = stride
        self._tally = tally
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its ancestry
        self._send()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0:
            self._received = received
            return
        head = received[:head_end].lower()
        mark = head.find(b"content-length:")
        line_end = head.find(b"\r\n", mark)
        length = int(head[mark + 15 : line_end if line_end > 0 else None]) if mark >= 0 else 0
        if len(received) < head_end + 4 + length:
            self._received = received
            return
        self._received = b""
        self._tally.statuses[int(head[9:12])] += 1
        self._tally.latencies.append(time.perf_counter() - self._sent_at)
        self._send()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        request = self._requests[self._next % len(self._requests)]
        self._next += self._stride
        self._sent_at = time.perf_counter()
        if self._transport is not None:
            self._transport.write(request)
