"""Fetching documents from strangers, as services see it: what is asked, what comes, and how it can fail."""

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


def _kept_by_nobody(seconds: float) -> None:
    """Nothing is kept, so nothing is to be forgotten."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that was fetched with status 200.

    Attributes:
        url: where it was found in the end, after redirects, without a fragment.
        media_type: in lower case, without parameters: ``application/json``.
        body: as sent, at most as long as was asked for.
        status: always 200.
        etag: its entity tag (RFC 9110, 8.8.3), or None.
        fresh_seconds: how long a shared cache may keep it (RFC 9111); None if its server says nothing.
        keep_at_most: tells whoever keeps it that it is out of date in so many seconds from now, as what is in it says.
    """

    url: str
    media_type: str
    body: bytes
    status: int
    etag: str | None
    fresh_seconds: int | None = None
    keep_at_most: Callable[[float], None] = field(default=_kept_by_nobody, compare=False, repr=False)


class Fetcher(Protocol):
    """Fetches what strangers publish. The address may be hostile, and so may the answer."""

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        """The document at `url`.

        Args:
            url: an absolute URL. A fragment is dropped. ``data:`` URLs are not for here.
            accept: the media types that are welcome, as in an ``Accept`` field (RFC 9110, 12.5.1). An answer
                of another type is an error; ``application/json`` welcomes every ``+json`` type too.
            max_bytes: the largest body that is read; None is the fetcher's own limit, which it never exceeds.

        Raises:
            FetchFailed: one of its subclasses where the reason is known.
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

    def __init__(self, detail: str | None = None, *, status: int, hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.status = status


class FetchNotFound(FetchFailed):
    """The other server says that there is no such document (404), or no longer (410).

    Unlike the other failures this is an answer: a revoked OB 2.0 assertion is a 410 with the reason in it.

    Attributes:
        status: 404 or 410.
        body: what came with it, cut to the limit; empty if it could not be read.
    """

    code = "fetch_not_found"
    hint = None

    def __init__(self, detail: str | None = None, *, status: int, body: bytes = b"", hint: str | None = None) -> None:
        super().__init__(detail, hint=hint)
        self.status = status
        self.body = body
