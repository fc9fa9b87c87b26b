"""The guarded client: GET requests to other servers, with every address checked and every size and time limited."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Collection, Sequence
from functools import cache
from types import TracebackType
from weakref import WeakValueDictionary

import httpcore
import httpx

from lapel.domain.fetching import (
    FetchBadRedirect,
    FetchBadStatus,
    Fetched,
    FetchFailed,
    FetchNotFound,
    FetchTimeout,
    FetchTooLarge,
    FetchWrongType,
)
from lapel.fetching.addresses import IPAddress, parse_address
from lapel.fetching.connecting import get
from lapel.fetching.freshness import fresh_seconds
from lapel.fetching.media_types import accepts, media_type_of
from lapel.fetching.resolving import Resolver, SystemResolver
from lapel.fetching.targets import Policy, Target, parse_target

__all__ = ["GuardedFetcher"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 3
_NOT_FOUND = frozenset({404, 410})
_MAX_ERROR_BYTES = 65_536
_USER_AGENT = ("User-Agent", "Lapel (Open Badges server)")
_MAX_ETAG_LENGTH = 256
_LOOKUPS_PER_FETCH = 4
"""Look-up threads for each concurrent fetch: a look-up that was given up still runs for ten seconds and more."""
_SMALL_CHUNKS_ALLOWED = 1_000
_MIN_AVERAGE_CHUNK_BYTES = 32
"""Required of a body with more than `_SMALL_CHUNKS_ALLOWED` chunks."""
_trusted = cache(httpx.create_ssl_context)  # to read all the certificates takes a twentieth of a second


class GuardedFetcher:
    """Fetches documents over https from the public Internet only. Implements `lapel.domain.fetching.Fetcher`.

    Each request looks its host up once, checks all addresses and connects to one of them. No cookies, no
    credentials, no proxy, no compression, one connection per request.

    Args:
        ports: the ports that may be connected to.
        allow_loopback_http: for development: also allow this machine, over http or https, on any port.
        timeout: seconds for a whole fetch: queueing, look-up, redirects and body.
        connect_timeout: seconds for each look-up, TCP connection and TLS handshake.
        max_bytes: the largest body that is read.
        concurrency: how many fetches run at once; further ones queue.
        per_host: how many of them may start at the same host, so that a slow host does not delay all others.
        resolver: looks names up; by default the operating system's. It is closed with the fetcher.
        ssl_context: the trusted certificates; by default ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``, else certifi.
    """

    def __init__(
        self,
        *,
        ports: Collection[int] = (443,),
        allow_loopback_http: bool = False,
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        max_bytes: int = 2 * 1024 * 1024,
        concurrency: int = 16,
        per_host: int = 4,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._closed = False
        self._policy = Policy(ports=frozenset(ports), allow_loopback_http=allow_loopback_http)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._max_bytes = max_bytes
        self._slots = asyncio.Semaphore(concurrency)
        self._per_host = per_host
        # An entry lasts as long as a fetch holds or awaits its semaphore.
        self._host_slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._resolver = SystemResolver(threads=_LOOKUPS_PER_FETCH * concurrency) if resolver is None else resolver
        self._ssl_context = _trusted() if ssl_context is None else ssl_context

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        """Return the document at `url`; see `Fetcher.fetch`.

        Raises:
            FetchRefused: the URL, or one that it redirects to, may not be fetched.
            FetchTimeout: the fetch took too long.
            FetchTooLarge: the body is longer than `max_bytes` or than this fetcher's own limit.
            FetchWrongType: the media type is not in `accept`, or the body is compressed.
            FetchNotFound: the status is 404 or 410.
            FetchBadRedirect: there are too many redirects, or one has no valid target.
            FetchBadStatus: the response has another status than 200.
            FetchFailed: the host is unknown or unreachable, has no valid certificate or does not speak HTTP.
        """
        if self._closed:
            raise RuntimeError("this fetcher is closed")
        limit = self._max_bytes if max_bytes is None else min(max_bytes, self._max_bytes)
        target = parse_target(url)
        self._policy.check_url(target, came_from=None)
        try:
            host_slots = self._host_slots.setdefault(target.host, asyncio.Semaphore(self._per_host))
            async with asyncio.timeout(self._timeout), host_slots, self._slots:
                return await self._follow(target, accept, limit)
        except TimeoutError as error:
            raise FetchTimeout(f"{target.authority} took more than {self._timeout:g} seconds.") from error

    async def _follow(self, target: Target, accept: str, limit: int) -> Fetched:
        came_from: Target | None = None
        for _ in range(_MAX_REDIRECTS + 1):
            self._policy.check_url(target, came_from=came_from)
            addresses = await self._resolve(target)
            self._policy.check_addresses(target, addresses, came_from=came_from)
            result = await self._exchange(target, addresses, accept, limit)
            if isinstance(result, Fetched):
                return result
            came_from, target = target, result
        raise FetchBadRedirect(f"{target.authority} redirects more than {_MAX_REDIRECTS} times.")

    async def _resolve(self, target: Target) -> Sequence[IPAddress]:
        if target.address is not None:
            return [target.address]
        try:
            async with asyncio.timeout(self._connect_timeout):
                resolved = await self._resolver.resolve(target.host)
        except TimeoutError as error:
            raise FetchTimeout(f"The host {target.host} could not be looked up in time.") from error
        addresses = [parse_address(text) for text in resolved]
        if None in addresses:
            raise FetchFailed(f"The host {target.host} could not be found.")
        return [address for address in addresses if address is not None]

    async def _exchange(
        self, target: Target, addresses: Sequence[IPAddress], accept: str, limit: int
    ) -> Fetched | Target:
        """Return the document at `target`, or the target that it redirects to."""
        headers = [("Accept", accept), ("Accept-Encoding", "identity"), _USER_AGENT]
        try:
            async with get(
                target,
                addresses,
                headers=headers,
                ssl_context=self._ssl_context,
                connect_timeout=self._connect_timeout,
                max_bytes=2 * limit + _MAX_ERROR_BYTES,
            ) as response:
                if response.status in _REDIRECTS:
                    return _redirect_target(target, response)
                if response.status in _NOT_FOUND:
                    raise FetchNotFound(
                        f"{target.authority} says that there is no such document ({response.status}).",
                        status=response.status,
                        body=await _read_error(response, min(limit, _MAX_ERROR_BYTES)),
                    )
                if response.status != 200:
                    raise FetchBadStatus(
                        f"{target.authority} answered with status {response.status}.", status=response.status
                    )
                return await _read_document(target, response, accept, limit)
        except httpcore.TimeoutException as error:
            raise FetchTimeout(f"{target.authority} did not answer in time.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            raise FetchFailed(f"{target.authority} {_reason(error)}.") from error

    async def close(self) -> None:
        """Close the resolver. Running fetches may finish; new ones raise `RuntimeError`."""
        self._closed = True
        self._resolver.close()

    async def __aenter__(self) -> GuardedFetcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            warnings.warn(f"{self!r} was never closed", ResourceWarning, source=self, stacklevel=2)


def _reason(error: BaseException) -> str:
    """Describe the error for a person. The library's own message may name addresses, so it is not shown."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has no valid certificate ({cause.verify_message})"
        if isinstance(cause, httpcore.RemoteProtocolError):
            return "does not speak HTTP as it should"
        cause = cause.__cause__ or cause.__context__
    return "could not be reached"


def _field(response: httpcore.Response, name: bytes) -> str | None:
    """Return a header field with its lines joined (RFC 9110, 5.3), or None."""
    values = [value.decode("latin-1") for key, value in response.headers if key.lower() == name]
    return ", ".join(values) if values else None


def _redirect_target(target: Target, response: httpcore.Response) -> Target:
    location = _field(response, b"location")
    if not location:
        raise FetchBadRedirect(f"{target.authority} redirects, but not to anywhere.")
    try:
        return parse_target(str(httpx.URL(target.url).join(location)))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchBadRedirect(f"{target.authority} redirects to something that is no URL.") from error


async def _read_document(target: Target, response: httpcore.Response, accept: str, limit: int) -> Fetched:
    media_type = media_type_of(_field(response, b"content-type"))
    if not accepts(accept, media_type):
        if media_type == "text/html":
            hint = "If that page offers the badge as a file or an image, download it and check that."
            raise FetchWrongType(f"{target.authority} has a web page there ({media_type}).", hint=hint)
        raise FetchWrongType(f"{target.authority} sent {media_type}, not {accept}.")
    if _is_compressed(response):
        raise FetchWrongType(f"{target.authority} sent a compressed document, which was not asked for.")
    length = _field(response, b"content-length")
    too_large = FetchTooLarge(f"The document at {target.authority} is larger than {limit} bytes.")
    if length is not None and length.isdecimal() and int(length) > limit:
        raise too_large
    body = bytearray()
    async for chunk in _chunks(response):
        body += chunk
        if len(body) > limit:
            raise too_large
    etag = _field(response, b"etag")
    return Fetched(
        url=target.url,
        media_type=media_type,
        body=bytes(body),
        status=response.status,
        etag=etag if etag is not None and len(etag) <= _MAX_ETAG_LENGTH else None,
        fresh_seconds=fresh_seconds(cache_control=_field(response, b"cache-control"), age=_field(response, b"age")),
    )


async def _read_error(response: httpcore.Response, limit: int) -> bytes:
    """Return as much of an error's body as can be read: the status alone already matters to the caller."""
    body = bytearray()
    if not _is_compressed(response):
        try:
            async for chunk in _chunks(response):
                body += chunk
                if len(body) >= limit:
                    break
        except (httpcore.NetworkError, httpcore.ProtocolError):
            pass
    return bytes(body[:limit])


async def _chunks(response: httpcore.Response) -> AsyncIterator[bytes]:
    """Yield the chunks of the body.

    Raises:
        httpcore.RemoteProtocolError: there are many tiny chunks, each of which costs time.
    """
    count = size = 0
    async for chunk in response.aiter_stream():
        count, size = count + 1, size + len(chunk)
        if count > _SMALL_CHUNKS_ALLOWED and size < count * _MIN_AVERAGE_CHUNK_BYTES:
            raise httpcore.RemoteProtocolError("the chunks are too small")
        yield chunk


def _is_compressed(response: httpcore.Response) -> bool:
    return (_field(response, b"content-encoding") or "identity").strip().lower() != "identity"
