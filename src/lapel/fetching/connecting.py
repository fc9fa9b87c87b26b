"""Connecting to addresses that were looked up and checked before, and to no others."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import httpcore

from lapel.fetching.addresses import IPAddress
from lapel.fetching.targets import Target

__all__ = ["get"]

_MOST_ATTEMPTS = 4
_PIECE = 4096
"""Bytes that are taken apart before others have their turn: with the smallest of chunks they take milliseconds."""
_LARGEST_HEAD = 128 * 1024
"""Bytes up to the answer's own header fields: before it there may be any number of others (RFC 9110, 15.2)."""


class _Allowance:
    """How many bytes a host may still send.

    Args:
        left: the first of them, before `renew`.
    """

    def __init__(self, left: int) -> None:
        self._left = left

    def renew(self, left: int) -> None:
        self._left = left

    def take(self, count: int) -> None:
        """Raise `httpcore.RemoteProtocolError` where that is too much."""
        self._left -= count
        if self._left < 0:
            raise httpcore.RemoteProtocolError("more is sent than such an answer takes")


class _MeasuredStream(httpcore.AsyncNetworkStream):
    """A connection that is read in small pieces, and only so far."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, allowance: _Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        await asyncio.sleep(0)  # under TLS there may be something to read without waiting
        data = await self._stream.read(min(max_bytes, _PIECE), timeout)
        self._allowance.take(len(data))
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
        return _MeasuredStream(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._allowance)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the given addresses, whatever host name it is asked for: no second look-up can differ.

    The name still goes into the TLS handshake and the certificate check, and into the ``Host`` field.
    """

    def __init__(self, addresses: Sequence[IPAddress], allowance: _Allowance) -> None:
        self._addresses = addresses[:_MOST_ATTEMPTS]
        self._allowance = allowance
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
        end = None if timeout is None else loop.time() + timeout
        for left in range(len(self._addresses), 0, -1):
            address = self._addresses[-left]
            share = None if end is None else max(end - loop.time(), 0.0) / left
            try:
                stream = await self._backend.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
            else:
                return _MeasuredStream(stream, self._allowance)
        raise httpcore.ConnectError("no address")


@asynccontextmanager
async def get(
    target: Target,
    addresses: Sequence[IPAddress],
    *,
    headers: Sequence[tuple[str, str]],
    ssl_context: ssl.SSLContext,
    connect_timeout: float,
    most_bytes: int,
) -> AsyncIterator[httpcore.Response]:
    """The answer to a GET of `target` at the first of `addresses` that can be reached, its body still unread.

    A connection serves one request: none is shared between two hosts, or outlives the check of its address.

    Args:
        connect_timeout: seconds, once for TCP and once for TLS.
        most_bytes: of a body, with what is around its chunks; beyond that the connection is given up.

    Raises:
        httpcore exceptions.
    """
    allowance = _Allowance(_LARGEST_HEAD)
    scheme, host = target.scheme.encode("ascii"), target.host.encode("ascii")
    connection = httpcore.AsyncHTTPConnection(
        httpcore.Origin(scheme, host, target.port),
        ssl_context=ssl_context,
        network_backend=_PinnedBackend(addresses, allowance),
    )
    url = httpcore.URL(scheme=scheme, host=host, port=target.port, target=target.path)
    try:
        async with connection.stream(
            "GET",
            url,
            headers=[("Host", target.authority), *headers, ("Connection", "close")],
            extensions={"timeout": {"connect": connect_timeout}},
        ) as response:
            allowance.renew(most_bytes)
            yield response
    finally:
        await connection.aclose()
