"""Signed credentials ready to be sent, kept in memory: their bytes never change once they are issued.

So they are answered without asking the database, and while it is away. Nothing else of a credential is kept here: its
standing is asked for each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from cachetools import TTLCache

from lapel.domain.credential import Credential, CredentialFormat
from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.documents import etag_of, public_response
from lapel.services.credentials import Credentials

__all__ = ["KEEP_SECONDS", "SignedDocument", "SignedDocuments"]

KEEP_SECONDS = 3600
"""How long anybody may keep a credential: what Cache-Control tells caches, and how long it is kept here."""

_ENTRY_BYTES = 1500  # what an entry weighs beside its content


class SignedDocument:
    """One credential's signed bytes, and its answers as they have been asked for."""

    __slots__ = ("_answers", "content", "etag", "format")

    def __init__(self, credential: Credential) -> None:
        self.format: CredentialFormat = credential.format
        self.content = credential.signed
        self.etag = etag_of(credential.signed)
        self._answers: dict[str, Answer] = {}

    def answer(self, request: Call, media_type: str) -> Answer:
        """The bytes under that name, or 304 if the client has them."""
        if request.header(b"if-none-match") is not None:
            return self._make(request, media_type)
        found = self._answers.get(media_type)
        if found is None:
            found = self._answers[media_type] = self._make(request, media_type)
        return found

    def _make(self, request: Call, media_type: str) -> Answer:
        return public_response(
            request,
            self.content,
            media_type=media_type,
            cache_control=f"public, max-age={KEEP_SECONDS}",
            etag=self.etag,
            headers={"vary": "Accept"},
        )


class SignedDocuments:
    """The credentials asked for last.

    Args:
        most_bytes: how much memory they may take.
        seconds: a clock that never goes back.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        most_bytes: int = 32 * 1024 * 1024,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credentials = credentials
        self._kept: TTLCache[UUID, SignedDocument] = TTLCache(
            most_bytes, ttl=KEEP_SECONDS, timer=seconds, getsizeof=lambda kept: len(kept.content) + _ENTRY_BYTES
        )
        self._largest = most_bytes // 16

    async def get(self, credential_id: UUID) -> SignedDocument:
        """The credential's signed bytes. Raises NotFound."""
        document = self._kept.get(credential_id)
        if document is None:
            document = SignedDocument(await self._credentials.get(credential_id))
            if len(document.content) <= self._largest:
                self._kept[credential_id] = document
        return document
