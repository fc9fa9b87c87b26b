"""Provides the documents that a verification needs: this server's own from its store, and others by the fetcher."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final, Protocol

from lapel.credentials.strict_json import MAX_BYTES, read_object
from lapel.domain.fetching import Fetched, Fetcher, FetchFailed, FetchRefused
from lapel.domain.json import JsonObject
from lapel.services.verifying.large_badges import large_document, waiting_for_others
from lapel.services.verifying.offloading import offload_if_long

__all__ = [
    "ACCEPT_CREDENTIAL",
    "ACCEPT_JSON",
    "MAX_FETCHES",
    "Documents",
    "NoOwnDocuments",
    "OwnDocuments",
    "read_document",
]

MAX_FETCHES: Final = 16
"""How many documents one verification may fetch, because an untrusted document determines which."""

ACCEPT_JSON: Final = (
    "application/ld+json, application/cid, application/did, application/did+json, application/json, text/plain"
)
"""JSON, also under the names without ``+json`` of Controlled Identifiers 1.0 and DID 1.1.

Includes plain text, because many static hosts send it. The content is read strictly in any case.
"""

ACCEPT_CREDENTIAL: Final = f"application/vc, application/vc+jwt, application/jwt, application/jose, {ACCEPT_JSON}"


async def read_document(body: bytes) -> JsonObject:
    """Read a JSON object by `read_object`, in the thread if it is large."""
    return await offload_if_long(body, read_object)


class OwnDocuments(Protocol):
    """The public documents of this server, read from its store."""

    async def find(self, url: str) -> Fetched | None:
        """Return the document that this server publishes at `url` (no fragment); None if `url` is not its own.

        Raises:
            FetchNotFound: the address is this server's, and there is nothing (404) or no longer anything (410).
        """
        ...


class NoOwnDocuments:
    """The documents of a verifier that publishes nothing, such as the command line."""

    async def find(self, url: str) -> Fetched | None:
        return None


class Documents:
    """The documents of one verification, or of several. Each address is fetched once, and their number is limited.

    Args:
        own: asked first; its documents do not count as fetches.
        max_fetches: how many addresses may be fetched.
    """

    def __init__(self, *, own: OwnDocuments, fetcher: Fetcher, max_fetches: int) -> None:
        self._own = own
        self._fetcher = fetcher
        self._remaining = max_fetches
        self._results: dict[str, Fetched | FetchFailed] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, url: str, *, accept: str = ACCEPT_JSON, max_bytes: int = MAX_BYTES) -> Fetched:
        """Return the document at `url`, without its fragment.

        Raises:
            FetchFailed: it could not be fetched; `FetchRefused` if too many documents have been fetched.
        """
        address = url.partition("#")[0]
        async with self._locks[address]:
            result = self._results.get(address)
            if result is None:
                try:
                    result = await self._fetch(address, accept, max_bytes)
                except FetchFailed as error:
                    result = error
                self._results[address] = result
        if isinstance(result, FetchFailed):
            raise result
        await large_document(len(result.body))
        return result

    async def get_object(self, url: str) -> JsonObject:
        """Return the JSON object at `url`.

        Raises:
            FetchFailed: see `get`.
            UnreadableJson: the document cannot be read.
        """
        return await read_document((await self.get(url)).body)

    async def _fetch(self, address: str, accept: str, max_bytes: int) -> Fetched:
        own = await self._own.find(address)
        if own is not None:
            return own
        if self._remaining <= 0:
            raise FetchRefused(
                "This verification has fetched as many documents as it may.",
                hint="A badge needs two or three; this one asks for more.",
            )
        self._remaining -= 1
        async with waiting_for_others():
            return await self._fetcher.fetch(address, accept=accept, max_bytes=max_bytes)
