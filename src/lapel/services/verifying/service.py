"""The use case: is this badge genuine, and does it still count?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from lapel.credentials.jsonld import Contexts
from lapel.domain.clock import Clock
from lapel.domain.fetching import FetchNotFound
from lapel.domain.ports import Fetcher
from lapel.services.verifying.credentials import CredentialVerification
from lapel.services.verifying.documents import ACCEPT_CREDENTIAL, MAX_FETCHES, Documents, NoOwnDocuments, OwnDocuments
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.open_badges_2 import HostedVerification, gone_assertion, is_open_badge_2
from lapel.services.verifying.quads import GeneralProcessor, QuadMaker
from lapel.services.verifying.reading import Address, Input, Token, UnreadableInput, read_input
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, Report

__all__ = ["TIME_LIMIT", "Verifying"]

TIME_LIMIT: Final = 20.0
"""Seconds that one verification may take."""

_ACCEPT_BADGE: Final = f"{ACCEPT_CREDENTIAL}, image/png, image/svg+xml, application/octet-stream"
_LARGE_BYTES: Final = 256 * 1024
_MOST_HOPS: Final = 2


class Verifying:
    """Verifies anybody's badge.

    Args:
        fetcher: how strangers' documents are fetched.
        contexts: the JSON-LD contexts that are known; none is ever fetched.
        general_path: for JSON-LD beyond the fast path; None refuses such documents.
        own: this server's documents, which are not fetched over the network.
        time_limit: seconds for one verification.
        max_fetches: fetches in one verification.
    """

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        clock: Clock,
        contexts: Contexts,
        general_path: GeneralProcessor | None,
        own: OwnDocuments | None = None,
        time_limit: float = TIME_LIMIT,
        max_fetches: int = MAX_FETCHES,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._maker = QuadMaker(contexts=contexts, general_path=general_path)
        self._own = NoOwnDocuments() if own is None else own
        self._time_limit = time_limit
        self._max_fetches = max_fetches

    async def verify(
        self, data: bytes | str, *, media_type: str | None = None, expected_recipient: str | None = None
    ) -> Report:
        """Verify what somebody handed in: JSON, a compact token, or a PNG or SVG image with one of them in it.

        Args:
            media_type: what the sender called it; it is recognised by its content.
            expected_recipient: who should have earned it: an e-mail address, a DID, a URL, or another identifier.

        Raises:
            InvalidInput, TooLarge: it cannot be read at all. Whatever is wrong with a badge that can be read is in
                the report.
        """
        findings = Findings()
        documents = self._documents()
        async with _limited(self._time_limit, findings):
            given = await _read(data, media_type)
            await self._verify(given, findings, documents, expected_recipient, hops=_MOST_HOPS)
        return findings.report()

    async def verify_url(self, url: str, *, expected_recipient: str | None = None) -> Report:
        """Verify what is published at an address.

        Raises:
            FetchFailed: there is nothing, or it cannot be fetched.
            InvalidInput, TooLarge: as `verify`.
        """
        findings = Findings()
        documents = self._documents()
        async with _limited(self._time_limit, findings):
            await self._verify(_address(url), findings, documents, expected_recipient, hops=_MOST_HOPS)
        return findings.report()

    async def _verify(
        self, given: Input, findings: Findings, documents: Documents, expected: str | None, *, hops: int
    ) -> None:
        if isinstance(given, Address):
            fetched = await self._fetch(given, findings, documents, hops)
            if fetched is not None:
                await self._verify(fetched, findings, documents, expected, hops=hops - 1)
            return
        now = self._clock()
        credentials = CredentialVerification(maker=self._maker, documents=documents, now=now)
        if isinstance(given, Token):
            await credentials.token(given.value, findings, expected_recipient=expected)
        elif is_open_badge_2(given.value):
            hosted = HostedVerification(documents=documents, now=now)
            await hosted.document(given.value, findings, expected_recipient=expected)
        else:
            await credentials.document(given.value, findings, expected_recipient=expected)

    async def _fetch(self, address: Address, findings: Findings, documents: Documents, hops: int) -> Input | None:
        if hops <= 0:
            raise UnreadableInput("The address leads to another address, and that to a third.")
        try:
            fetched = await documents.get(address.value, accept=_ACCEPT_BADGE)
        except FetchNotFound as error:
            if error.status == 410 and gone_assertion(address.value, error.body, findings):
                return None
            raise
        return await _read(fetched.body, fetched.media_type)

    def _documents(self) -> Documents:
        return Documents(own=self._own, fetcher=self._fetcher, max_fetches=self._max_fetches)


def _address(url: str) -> Address:
    given = read_input(url)
    if isinstance(given, Address):
        return given
    raise UnreadableInput("This is not an https address.")


async def _read(data: bytes | str, media_type: str | None) -> Input:
    if len(data) < _LARGE_BYTES:
        return read_input(data, media_type=media_type)
    return await asyncio.to_thread(read_input, data, media_type=media_type)


@contextlib.asynccontextmanager
async def _limited(seconds: float, findings: Findings) -> AsyncIterator[None]:
    """Cut the work short after some seconds; what was found until then stays found."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        sentence = "The verification took too long and was stopped; what is missing could not be told."
        findings.add(
            Check(
                code=CheckCode.TIME_LIMIT,
                outcome=Outcome.UNKNOWN,
                sentence=sentence,
                problem=Problem.TIMED_OUT,
                detail=f"{seconds:g} s",
            )
        )
