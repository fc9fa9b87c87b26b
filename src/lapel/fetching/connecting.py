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


class _PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the given addresses, whatever host name it is asked for: no second look-up can differ.

    The name still goes into the TLS handshake and the certificate check, and into the ``Host`` field.
    """

    def __init__(self, addresses: Sequence[IPAddress]) -> None:
        self._addresses = addresses[:_MOST_ATTEMPTS]
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
                return await self._backend.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
        raise httpcore.ConnectError("no address")


@asynccontextmanager
async def get(
    target: Target,
    addresses: Sequence[IPAddress],
    *,
    headers: Sequence[tuple[str, str]],
    ssl_context: ssl.SSLContext,
    connect_timeout: float,
) -> AsyncIterator[httpcore.Response]:
    """The answer to a GET of `target` at the first of `addresses` that can be reached, its body still unread.

    A connection serves one request: none is shared between two hosts, or outlives the check of its address.

    Args:
        connect_timeout: seconds, once for TCP and once for TLS.

    Raises:
        httpcore exceptions.
    """
    scheme, host = target.scheme.encode("ascii"), target.host.encode("ascii")
    connection = httpcore.AsyncHTTPConnection(
        httpcore.Origin(scheme, host, target.port),
        ssl_context=ssl_context,
        network_backend=_PinnedBackend(addresses),
    )
    url = httpcore.URL(scheme=scheme, host=host, port=target.port, target=target.path)
    try:
        async with connection.stream(
            "GET",
            url,
            headers=[("Host", target.authority), *headers, ("Connection", "close")],
            extensions={"timeout": {"connect": connect_timeout}},
        ) as response:
            yield response
    finally:
        await connection.aclose()
