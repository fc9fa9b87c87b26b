"""A cache of public documents that never change: signed credentials, uploaded images, and baked badge images.

They are served without asking the database, also while it is away. Nothing else is cached here: a credential's status,
whatever shows it (pages, Open Badges 2.0), issuers and keys are read from the database for each request.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from typing import TypeVar, cast

from cachetools import LRUCache

from lapel.domain.credential import Credential
from lapel.errors import LapelError, Unavailable
from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.compression import accepts_gzip, gzip
from lapel.http.documents import etag_of, public_response

__all__ = ["CACHE_SECONDS", "CachedCredential", "CachedDocument", "DocumentCache", "document_cache"]

CACHE_SECONDS = 3600
"""How long a credential may be cached: by clients (Cache-Control), and here before it is loaded again."""

_ERASURE_CHECK_INTERVAL = 0.5
_ERASURE_CHECK_TIMEOUT = 0.25  # seconds that a request waits for the check when the database hangs

_MAX_BYTES = 64 * 1024 * 1024  # memory that all documents may take
_MAX_DOCUMENT_BYTES = _MAX_BYTES // 16
_ENTRY_BYTES = 1500  # memory that an entry takes beside its content


class CachedDocument:
    """Bytes that never change, with their ETag and, once asked for, their compressed form."""

    __slots__ = ("_gzipped", "content", "etag", "expires_at", "media_type")

    def __init__(self, content: bytes, media_type: str = "") -> None:
        self.content = content
        self.etag = etag_of(content)
        self.media_type = media_type
        self.expires_at = 0.0  # when it is loaded again, because it may have been deleted; by the cache's clock
        self._gzipped: bytes | None = None

    def gzipped(self) -> bytes:
        """Return the compressed bytes; they are compressed once."""
        if self._gzipped is None:
            self._gzipped = gzip(self.content)
        return self._gzipped

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.content) + _ENTRY_BYTES


class CachedCredential(CachedDocument):
    """A credential's signed bytes, and the answers with which they have been served.

    Attributes:
        is_badge: the credential is for an achievement, so it has an image.
    """

    __slots__ = ("_answers", "format", "is_badge")

    def __init__(self, credential: Credential) -> None:
        super().__init__(credential.signed)
        self.format = credential.format
        self.is_badge = credential.achievement_id is not None
        self._answers: dict[tuple[str, bool], Answer] = {}

    @property
    def weight(self) -> int:
        """As for any document, plus the compressed form, which is likely to be asked for."""
        return super().weight + len(self.content) // 2

    def answer(self, request: Call, media_type: str) -> Answer:
        """Answer with the bytes as that media type, or with 304 if the client has them."""
        if request.header(b"if-none-match") is not None:
            return self._build_answer(request, media_type)
        key = (media_type, accepts_gzip(request))
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._build_answer(request, media_type)
        return answer

    def _build_answer(self, request: Call, media_type: str) -> Answer:
        return public_response(
            request,
            self.content,
            media_type=media_type,
            cache_control=f"public, max-age={CACHE_SECONDS}",
            etag=self.etag,
            headers={"vary": "Accept"},
            gzipped=self.gzipped,
        )


Document = TypeVar("Document", bound=CachedDocument)


class DocumentCache:
    """The most recently used documents.

    Args:
        last_erasure: returns a value that changes with every erasure of a recipient, by whatever process.
        on_clear: called when the cache is cleared.
        seconds: a monotonic clock.
    """

    def __init__(
        self,
        *,
        last_erasure: Callable[[], Awaitable[bytes | None]],
        on_clear: Callable[[], None],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache: LRUCache[Hashable, CachedDocument] = LRUCache(_MAX_BYTES, getsizeof=lambda entry: entry.weight)
        self._seconds = seconds
        self._read_last_erasure = last_erasure
        self._on_clear = on_clear
        self._generation = 0  # how often it was cleared
        self._last_erasure: bytes | None = None
        self._check: asyncio.Task[None] | None = None
        self._next_check = 0.0

    async def get(self, key: Hashable, load: Callable[[], Awaitable[Document]]) -> Document:
        """Return the cached document under `key`, or load it with `load`; raises what that raises.

        A document is loaded again every `CACHE_SECONDS`, because it may have been deleted. If the database cannot be
        reached then, the cached one is returned.
        """
        if self._seconds() >= self._next_check:
            await self._check_for_erasures()
        cached = cast("Document | None", self._cache.get(key))  # a key always has documents of one type
        if cached is not None and self._seconds() < cached.expires_at:
            return cached
        generation = self._generation
        try:
            document = await load()
        except Unavailable:
            if cached is None:
                raise
            return cached
        except BaseException:
            self._cache.pop(key, None)
            raise
        document.expires_at = self._seconds() + CACHE_SECONDS
        # A document that was read before an erasure must not be cached after it.
        if len(document.content) <= _MAX_DOCUMENT_BYTES and generation == self._generation:
            self._cache[key] = document
        return document

    def forget(self) -> None:
        """Clear the cache, because a recipient has been erased."""
        self._cache.clear()
        self._generation += 1
        self._on_clear()

    async def _check_for_erasures(self) -> None:
        """Clear the cache if a recipient was erased since the last check; waits only briefly if the database hangs."""
        if self._check is None or self._check.done():
            # In a context of its own: it may outlive the request that starts it.
            self._check = asyncio.get_running_loop().create_task(self._compare_last_erasure(), context=Context())
        await asyncio.wait([self._check], timeout=_ERASURE_CHECK_TIMEOUT)
        self._next_check = self._seconds() + _ERASURE_CHECK_INTERVAL

    async def _compare_last_erasure(self) -> None:
        with contextlib.suppress(LapelError):  # the database is away: the cached documents are served
            last_erasure = await self._read_last_erasure()
            if last_erasure != self._last_erasure:
                self._last_erasure = last_erasure
                self.forget()


def document_cache(request: Call) -> DocumentCache:
    """Return the application's cache."""
    cache: DocumentCache = request.app.state.document_cache
    return cache
