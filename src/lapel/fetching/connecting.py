"""HTTP connections to addresses that have been looked up and checked, and to no others."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import httpcore

from lapel.fetching.addresses import IPAddress
from lapel.fetching.targets import Target

__all__ = ["get"]

_MAX_ADDRESSES = 4
_READ_BYTES = 4096
"""How many bytes are parsed before other tasks run: in the smallest possible chunks they take milliseconds."""
_MAX_HEAD_BYTES = 128 * 1024
"""Limit for all header fields, including any number of interim responses before the final one (RFC 9110, 15.2)."""


class _ByteBudget:
    """How many bytes a host may still send."""

    def __init__(self, remaining: int) -> None:
        self._remaining = remaining

    def reset(self, remaining: int) -> None:
        self._remaining = remaining

    def spend(self, count: int) -> None:
        """Raise `httpcore.RemoteProtocolError` if `count` bytes exceed the budget."""
        self._remaining -= count
        if self._remaining < 0:
            raise httpcore.RemoteProtocolError("more is sent than such an answer takes")


class _LimitedStream(httpcore.AsyncNetworkStream):
    """A connection that is read in small pieces and within a budget."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, budget: _ByteBudget) -> None:
        self._stream = stream
        self._budget = budget

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        await asyncio.sleep(0)  # lets other tasks run, since TLS may have buffered data that is read without waiting
        data = await self._stream.read(min(max_bytes, _READ_BYTES), timeout)
        self._budget.spend(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        return _LimitedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._budget)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the given addresses whatever the host name, so that no second look-up can give different ones.

    The name is still used for the TLS handshake, the certificate check and the ``Host`` field.
    """

    def __init__(self, addresses: Sequence[IPAddress], budget: _ByteBudget) -> None:
        self._addresses = addresses[:_MAX_ADDRESSES]
        self._budget = budget
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        for remaining in range(len(self._addresses), 0, -1):
            address = self._addresses[-remaining]
            share = None if deadline is None else max(deadline - loop.time(), 0.0) / remaining
            try:
                stream = await self._backend.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if remaining == 1:
                    raise
            else:
                return _LimitedStream(stream, self._budget)
        raise httpcore.ConnectError("no address")


@asynccontextmanager
async def get(
    target: Target,
    addresses: Sequence[IPAddress],
    *,
    headers: Sequence[tuple[str, str]],
    ssl_context: ssl.SSLContext,
    connect_timeout: float,
    max_bytes: int,
) -> AsyncIterator[httpcore.Response]:
    """Send a GET request to the first reachable address and yield the response with its body unread.

    A connection serves one request: none is shared between two hosts, or outlives the check of its address.

    Args:
        connect_timeout: seconds, once for TCP and once for TLS.
        max_bytes: limit for the body including the framing of its chunks; beyond it the connection is closed.

    Raises:
        httpcore exceptions.
    """
    budget = _ByteBudget(_MAX_HEAD_BYTES)
    scheme, host = target.scheme.encode("ascii"), target.host.encode("ascii")
    connection = httpcore.AsyncHTTPConnection(
        httpcore.Origin(scheme, host, target.port),
        ssl_context=ssl_context,
        network_backend=_PinnedBackend(addresses, budget),
    )
    url = httpcore.URL(scheme=scheme, host=host, port=target.port, target=target.path)
    try:
        async with connection.stream(
            "GET",
            url,
            headers=[("Host", target.authority), *headers, ("Connection", "close")],
            extensions={"timeout": {"connect": connect_timeout}},
        ) as response:
            budget.reset(max_bytes)
            yield response
    finally:
        await connection.aclose()
