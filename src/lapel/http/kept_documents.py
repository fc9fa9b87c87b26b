"""Public documents that never change, kept in memory: signed credentials, uploaded images, images with a credential.

So they are answered without asking the database, and while it is away. Nothing else is kept here: a credential's
standing, what says it (pages, Open Badges 2.0), issuers and keys are asked for each time.
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

__all__ = ["KEEP_SECONDS", "KeptDocument", "KeptDocuments", "SignedDocument", "kept_documents"]

KEEP_SECONDS = 3600
"""How long anybody may keep a credential: what Cache-Control says, and when the database is asked again here."""

_LOOK_EVERY = 0.5
_LOOK_SECONDS = 0.25  # so long a request waits for a database that hangs, once in a while

_ENTRY_BYTES = 1500  # what an entry weighs beside its content


class KeptDocument:
    """Bytes that never change."""

    __slots__ = ("_gzipped", "content", "etag", "media_type", "until")

    def __init__(self, content: bytes, media_type: str = "") -> None:
        self.content = content
        self.etag = etag_of(content)
        self.media_type = media_type
        self.until = 0.0  # when the database is to be asked whether it is still there
        self._gzipped: bytes | None = None

    def gzipped(self) -> bytes:
        """The bytes, compressed once."""
        if self._gzipped is None:
            self._gzipped = gzip(self.content)
        return self._gzipped

    @property
    def weight(self) -> int:
        """How much memory it takes, about."""
        return len(self.content) + _ENTRY_BYTES


class SignedDocument(KeptDocument):
    """One credential's signed bytes, and its answers as they have been asked for.

    Attributes:
        is_badge: it is for an achievement, and so it has an image.
    """

    __slots__ = ("_answers", "format", "is_badge")

    def __init__(self, credential: Credential) -> None:
        super().__init__(credential.signed)
        self.format = credential.format
        self.is_badge = credential.achievement_id is not None
        self._answers: dict[tuple[str, bool], Answer] = {}

    @property
    def weight(self) -> int:
        """With its compressed form, which somebody will ask for."""
        return super().weight + len(self.content) // 2

    def answer(self, request: Call, media_type: str) -> Answer:
        """The bytes under that name, or 304 if the client has them."""
        if request.header(b"if-none-match") is not None:
            return self._make(request, media_type)
        form = (media_type, accepts_gzip(request))
        found = self._answers.get(form)
        if found is None:
            found = self._answers[form] = self._make(request, media_type)
        return found

    def _make(self, request: Call, media_type: str) -> Answer:
        return public_response(
            request,
            self.content,
            media_type=media_type,
            cache_control=f"public, max-age={KEEP_SECONDS}",
            etag=self.etag,
            headers={"vary": "Accept"},
            gzipped=self.gzipped,
        )


Document = TypeVar("Document", bound=KeptDocument)


class KeptDocuments:
    """The documents asked for last.

    Args:
        most_bytes: how much memory they may take.
        seconds: a clock that never goes back.
        erasures: something else after each erasure, by whatever process.
        forget_too: called when everything is forgotten.
    """

    def __init__(
        self,
        *,
        most_bytes: int = 64 * 1024 * 1024,
        seconds: Callable[[], float] = time.monotonic,
        erasures: Callable[[], Awaitable[bytes | None]] | None = None,
        forget_too: Callable[[], None] = lambda: None,
    ) -> None:
        self._kept: LRUCache[Hashable, KeptDocument] = LRUCache(most_bytes, getsizeof=lambda kept: kept.weight)
        self._largest = most_bytes // 16
        self._seconds = seconds
        self._erasures = erasures
        self._forget_too = forget_too
        self._times_forgotten = 0
        self._last_erasure: bytes | None = None
        self._looking: asyncio.Task[None] | None = None
        self._look_at = float("inf") if erasures is None else 0.0

    async def get(self, key: Hashable, load: Callable[[], Awaitable[Document]]) -> Document:
        """The document under `key`, or what `load` makes of it; raises what that raises.

        A document is loaded anew once an hour, for it may have been deleted; where that is impossible at the moment,
        the old one is as good.
        """
        if self._seconds() >= self._look_at:
            await self._look_for_erasures()
        kept = cast("Document | None", self._kept.get(key))  # a key names documents of one type
        if kept is not None and self._seconds() < kept.until:
            return kept
        times_forgotten = self._times_forgotten
        try:
            document = await load()
        except Unavailable:
            if kept is None:
                raise
            return kept
        except BaseException:
            self._kept.pop(key, None)
            raise
        document.until = self._seconds() + KEEP_SECONDS
        # What was read before an erasure, and is here only after it, is not to stay.
        if len(document.content) <= self._largest and times_forgotten == self._times_forgotten:
            self._kept[key] = document
        return document

    def forget(self) -> None:
        """Keep nothing of what there is: somebody has been erased."""
        self._kept.clear()
        self._times_forgotten += 1
        self._forget_too()

    async def _look_for_erasures(self) -> None:
        """Forget everything where somebody was erased since the last look. Nobody waits for a database that hangs."""
        if self._looking is None or self._looking.done():
            # In a context of its own: it may outlive the request in which it begins.
            self._looking = asyncio.get_running_loop().create_task(self._look(), context=Context())
        await asyncio.wait([self._looking], timeout=_LOOK_SECONDS)
        self._look_at = self._seconds() + _LOOK_EVERY

    async def _look(self) -> None:
        assert self._erasures is not None
        with contextlib.suppress(LapelError):  # the database is away: what was kept is served
            found = await self._erasures()
            if found != self._last_erasure:
                self._last_erasure = found
                self.forget()


def kept_documents(request: Call) -> KeptDocuments:
    """The application's."""
    found: KeptDocuments = request.app.state.kept_documents
    return found
