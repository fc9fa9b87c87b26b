"""The port for fetching documents from other servers, and its errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from lapel.errors import LapelError

__all__ = [
    "FetchBadRedirect",
    "FetchBadStatus",
    "FetchFailed",
    "FetchNotFound",
    "FetchRefused",
    "FetchTimeout",
    "FetchTooLarge",
    "FetchWrongType",
    "Fetched",
    "Fetcher",
]


def _not_cached(seconds: float) -> None:
    """Do nothing: there is no cached copy that could expire."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that was fetched with status 200.

    Attributes:
        url: the final URL after redirects, without a fragment.
        media_type: in lower case, without parameters: ``application/json``.
        body: as sent, no longer than the requested limit.
        status: always 200.
        etag: the entity tag (RFC 9110, 8.8.3), or None.
        fresh_seconds: how long a shared cache may keep the document (RFC 9111); None if the server does not say.
        expire_within: has a cache drop the document after at most so many seconds, for a document that itself says
            how long it is valid.
    """

    url: str
    media_type: str
    body: bytes
    status: int
    etag: str | None
    fresh_seconds: int | None = None
    expire_within: Callable[[float], None] = field(default=_not_cached, compare=False, repr=False)


class Fetcher(Protocol):
    """Fetches documents that others publish. Both the URL and the response may be hostile."""

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        """Return the document at `url`.

        Args:
            url: an absolute URL. A fragment is dropped. ``data:`` URLs are not supported.
            accept: the accepted media types, as in an ``Accept`` field (RFC 9110, 12.5.1). A response of another
                type is an error; ``application/json`` also accepts every ``+json`` type.
            max_bytes: the largest body that is read; None means the fetcher's own limit, which always applies.

        Raises:
            FetchFailed: one of its subclasses if the reason is known.
        """
        ...


class FetchFailed(LapelError):
    """The document could not be fetched."""

    code: ClassVar[str] = "fetch_failed"
    hint: str | None = "This says nothing about the document itself. Check that the address is right, and try again."


class FetchRefused(FetchFailed):
    """This server does not fetch from that address."""

    code = "fetch_refused"
    hint = "Use an address that begins with https:// and is on the public Internet."


class FetchTimeout(FetchFailed):
    """The document did not arrive in time."""

    code = "fetch_timeout"


class FetchTooLarge(FetchFailed):
    """The document is larger than this server accepts."""

    code = "fetch_too_large"
    hint = None


class FetchWrongType(FetchFailed):
    """The document is not of the type that was asked for."""

    code = "fetch_wrong_type"
    hint = None


class FetchBadRedirect(FetchFailed):
    """The address redirects too often, or to nowhere."""

    code = "fetch_bad_redirect"
    hint = None


class FetchBadStatus(FetchFailed):
    """The other server answered, but not with the document."""

    code = "fetch_bad_status"

    def __init__(self, detail: str | None = None, *, status: int) -> None:
        super().__init__(detail)
        self.status = status


class FetchNotFound(FetchFailed):
    """There is no such document at the address (404), or no longer (410).

    Unlike the other failures this one may be meaningful: a revoked OB 2.0 assertion is a 410 with the reason in it.

    Attributes:
        status: 404 or 410.
        body: the body of the response, truncated to the limit; empty if it could not be read.
    """

    code = "fetch_not_found"
    hint = None

    def __init__(self, detail: str | None = None, *, status: int, body: bytes = b"") -> None:
        super().__init__(detail)
        self.status = status
        self.body = body
