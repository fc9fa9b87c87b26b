"""Where a verification gets further documents: this server's own without the network, a stranger's by the fetcher."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final, Protocol

from lapel.credentials.strict_json import MAX_BYTES, read_object
from lapel.domain.fetching import Fetched, Fetcher, FetchFailed, FetchRefused
from lapel.domain.json import JsonObject
from lapel.services.verifying.apart import LARGE_TEXT, in_thread
from lapel.services.verifying.large_badges import large_document, waiting_for_others

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
"""Fetches in one verification: what a stranger's document may make this server ask of others."""

ACCEPT_JSON: Final = "application/ld+json, application/did+json, application/json, text/plain"
"""Plain text too: many static hosts know no better. What arrives is read strictly all the same."""

ACCEPT_CREDENTIAL: Final = f"application/vc, application/vc+jwt, application/jwt, application/jose, {ACCEPT_JSON}"


async def read_document(body: bytes) -> JsonObject:
    """`read_object` of what was fetched or sent, away from the event loop where it is large."""
    if len(body) < LARGE_TEXT:
        return read_object(body)
    return await in_thread(read_object, body)


class OwnDocuments(Protocol):
    """The public documents of this server, straight from its store."""

    async def find(self, url: str) -> Fetched | None:
        """The document that this server publishes at `url` (no fragment), or None where `url` is not its own.

        Raises:
            FetchNotFound: the address is this server's, and there is nothing (404) or no longer anything (410).
        """
        ...


class NoOwnDocuments:
    """For a verifier that publishes nothing, such as the command line."""

    async def find(self, url: str) -> Fetched | None:
        return None


class Documents:
    """The documents of one verification, or of several: each address is asked once, and not too many of them.

    Args:
        own: asked first; its answers do not count.
        max_fetches: how many addresses may be fetched.
    """

    def __init__(self, *, own: OwnDocuments, fetcher: Fetcher, max_fetches: int = MAX_FETCHES) -> None:
        self._own = own
        self._fetcher = fetcher
        self._left = max_fetches
        self._answers: dict[str, Fetched | FetchFailed] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, url: str, *, accept: str = ACCEPT_JSON, max_bytes: int = MAX_BYTES) -> Fetched:
        """The document at `url`; a fragment is dropped.

        Raises:
            FetchFailed: it could not be fetched; `FetchRefused` where too many have been.
        """
        address = url.partition("#")[0]
        async with self._turns[address]:
            answer = self._answers.get(address)
            if answer is None:
                try:
                    answer = await self._ask(address, accept, max_bytes)
                except FetchFailed as error:
                    answer = error
                self._answers[address] = answer
        if isinstance(answer, FetchFailed):
            raise answer
        await large_document(len(answer.body))
        return answer

    async def get_object(self, url: str) -> JsonObject:
        """The JSON object at `url`.

        Raises:
            FetchFailed: as `get`.
            UnreadableJson: what is there cannot be read.
        """
        return await read_document((await self.get(url)).body)

    async def _ask(self, address: str, accept: str, max_bytes: int) -> Fetched:
        own = await self._own.find(address)
        if own is not None:
            return own
        if self._left <= 0:
            raise FetchRefused(
                "This verification has fetched as many documents as it may.",
                hint="A badge needs two or three; this one asks for more.",
            )
        self._left -= 1
        async with waiting_for_others():
            return await self._fetcher.fetch(address, accept=accept, max_bytes=max_bytes)
