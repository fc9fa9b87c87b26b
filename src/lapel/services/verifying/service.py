"""The use case: is this badge genuine, and does it still count?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lapel.credentials.baking import media_type as image_type
from lapel.credentials.jose.vc_jwt import UnsupportedJwt, VcJwt
from lapel.credentials.jsonld import Contexts
from lapel.domain.clock import Clock
from lapel.domain.fetching import Fetched, Fetcher, FetchNotFound
from lapel.domain.json import JsonObject
from lapel.errors import InvalidInput
from lapel.services.metrics.counting import OutcomeCounter
from lapel.services.verifying.credentials import CredentialVerification
from lapel.services.verifying.documents import ACCEPT_CREDENTIAL, MAX_FETCHES, Documents, NoOwnDocuments, OwnDocuments
from lapel.services.verifying.endorsements import ENDORSEMENTS_TIME, time_for_endorsements
from lapel.services.verifying.envelopes import (
    ENVELOPED_CREDENTIAL,
    enveloped,
    is_presentation,
    name_presentation,
    name_unopened,
)
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.large_badges import LargeBadges
from lapel.services.verifying.linked_data.quads import GeneralProcessor, QuadMaker
from lapel.services.verifying.members import types_of
from lapel.services.verifying.open_badges_1 import name_older_version, older_version
from lapel.services.verifying.open_badges_2.assertion import Badge, is_hosted, is_looked_up, is_open_badge_2
from lapel.services.verifying.open_badges_2.endorsements import EndorsementsVerification
from lapel.services.verifying.open_badges_2.hosted import HostedVerification, gone_assertion
from lapel.services.verifying.open_badges_2.signed import SignedVerification, unsigned
from lapel.services.verifying.open_badges_2.spelling import plain, plain_token
from lapel.services.verifying.presentations import (
    ExpectedPresentation,
    PresentationReport,
    PresentationVerification,
)
from lapel.services.verifying.proofs.jwt import unsupported_token
from lapel.services.verifying.reading import (
    Address,
    Document,
    Input,
    Token,
    UnreadableInput,
    decoded,
    decoded_presentation,
    read_input,
    read_text,
    text_in,
)
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, Report

__all__ = ["TIME_LIMIT", "Verifying"]

TIME_LIMIT: Final = 20.0
"""Seconds that one verification may take."""

_ACCEPT_BADGE: Final = f"{ACCEPT_CREDENTIAL}, image/png, image/svg+xml, application/octet-stream"
_MOST_HOPS: Final = 2

_VERDICTS: Final = {True: "valid", False: "not_valid", None: "unknown"}
_VERIFIED: Final = OutcomeCounter[Report](
    "lapel_verifications",
    "Verifications.",
    lambda report: _VERDICTS[report.valid],
    label="verdict",
    known=_VERDICTS.values(),
)


class Verifying:
    """Verifies anybody's badge. Of large ones, a few at a time.

    Args:
        fetcher: how strangers' documents are fetched.
        contexts: the JSON-LD contexts that are known; none is ever fetched.
        general_path: for JSON-LD beyond the fast path; None refuses such documents.
        own: this server's documents, which are not fetched over the network.
        time_limit: seconds for one verification.
        endorsements_time: those of them that the endorsements in a badge may take.
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
        endorsements_time: float = ENDORSEMENTS_TIME,
        max_fetches: int = MAX_FETCHES,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._maker = QuadMaker(contexts=contexts, general_path=general_path)
        self._own = NoOwnDocuments() if own is None else own
        self._time_limit = time_limit
        self._endorsements_time = endorsements_time
        self._max_fetches = max_fetches
        self.slot = LargeBadges().slot

    @_VERIFIED.counting
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
            TooManyLargeBadges: it is a large one, and too many of those wait already.
        """
        findings = Findings()
        documents = self._documents(self._max_fetches)
        async with _limited(self._time_limit, findings) as end:
            asked = _Asked(expected_recipient=expected_recipient, end=end, endorsements_time=self._endorsements_time)
            await self._read(data, media_type, findings, documents, asked, hops=_MOST_HOPS)
        return findings.report()

    def several(self, *, max_fetches: int) -> Callable[[str], Awaitable[Report]]:
        """Verifies several texts like `verify`, each in its time, but with one number of fetches for all of them.

        What is embedded in them in favour of them is not looked at.
        """
        documents = self._documents(max_fetches)

        async def verify(data: str) -> Report:
            findings = Findings()
            async with _limited(self._time_limit, findings) as end:
                asked = _Asked(expected_recipient=None, end=end, endorsements_time=0.0)
                await self._read(data, None, findings, documents, asked, hops=_MOST_HOPS)
            return findings.report()

        return verify

    @_VERIFIED.counting
    async def verify_url(self, url: str, *, expected_recipient: str | None = None) -> Report:
        """Verify what is published at an address.

        Raises:
            FetchFailed: there is nothing, or it cannot be fetched.
            InvalidInput, TooLarge, TooManyLargeBadges: as `verify`.
        """
        findings = Findings()
        documents = self._documents(self._max_fetches)
        async with _limited(self._time_limit, findings) as end:
            asked = _Asked(expected_recipient=expected_recipient, end=end, endorsements_time=self._endorsements_time)
            await self._verify(_address(url), findings, documents, asked, hops=_MOST_HOPS)
        return findings.report()

    async def verify_credential(self, given: Document | Token) -> Report:
        """Verify a credential of VC 2.0 or 1.1 that has been read: whatever else it is, it is taken for one.

        Raises:
            InvalidInput, TooLarge: a token that cannot be read.
        """
        findings = Findings()
        async with self._one(findings) as credentials:
            await credentials.given(given, findings)
        return findings.report()

    async def verify_presentation(
        self, presentation: JsonObject | VcJwt, held: Sequence[Document | Token], expected: ExpectedPresentation
    ) -> PresentationReport:
        """Verify a presentation of VC 2.0 or 1.1, and what is in it, in the time and with the fetches of one badge.

        Args:
            presentation: with embedded proofs, or as a token that was taken apart.
            held: the credentials in it, taken out of their envelopes; at most MOST_PRESENTED.
        """
        findings, reports = Findings(), [Findings() for _ in held]
        async with self._one(findings) as credentials:
            verification = PresentationVerification(
                maker=self._maker, credentials=credentials, documents=credentials.documents, now=self._clock()
            )
            await verification.verify(presentation, held, findings, reports, expected=expected)
        return PresentationReport(findings.report(), [each.report() for each in reports])

    @contextlib.asynccontextmanager
    async def _one(self, findings: Findings) -> AsyncIterator[CredentialVerification]:
        """What verifies credentials within the limits of one verification."""
        async with _limited(self._time_limit, findings) as end:
            yield CredentialVerification(
                maker=self._maker,
                documents=self._documents(self._max_fetches),
                now=self._clock(),
                end=end,
                endorsements_time=self._endorsements_time,
            )

    async def _read(
        self,
        data: bytes | str,
        media_type: str | None,
        findings: Findings,
        documents: Documents,
        asked: _Asked,
        *,
        hops: int,
    ) -> None:
        text = await text_in(data, media_type=media_type)
        if isinstance(data, bytes) and image_type(data):
            findings.picture = data
        async with self.slot(len(text)):
            await self._verify(await read_text(text), findings, documents, asked, hops=hops)

    async def _verify(
        self, given: Input, findings: Findings, documents: Documents, asked: _Asked, *, hops: int
    ) -> None:
        if isinstance(given, Address):
            fetched = await self._fetch(given, findings, documents, hops)
            if fetched is not None:
                await self._read(fetched.body, fetched.media_type, findings, documents, asked, hops=hops - 1)
            return
        now = self._clock()
        checking = _Checking(
            credentials=CredentialVerification(
                maker=self._maker,
                documents=documents,
                now=now,
                end=asked.end,
                endorsements_time=asked.endorsements_time,
            ),
            documents=documents,
            now=now,
            findings=findings,
            asked=asked,
        )
        if isinstance(given, Token):
            await checking.token(given)
        else:
            await checking.document(given.value)

    async def _fetch(self, address: Address, findings: Findings, documents: Documents, hops: int) -> Fetched | None:
        if hops <= 0:
            raise UnreadableInput("The address leads to another address, and that to a third.")
        try:
            return await documents.get(address.value, accept=_ACCEPT_BADGE)
        except FetchNotFound as error:
            if error.status == 410 and await gone_assertion(address.value, error.body, findings):
                return None
            raise

    def _documents(self, max_fetches: int) -> Documents:
        return Documents(own=self._own, fetcher=self._fetcher, max_fetches=max_fetches)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What one verification is asked for, and when it is cut short, by the clock of the event loop."""

    expected_recipient: str | None
    end: float
    endorsements_time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checking:
    """One badge to be checked: which version of Open Badges it is of decides how."""

    credentials: CredentialVerification
    documents: Documents
    now: datetime
    findings: Findings
    asked: _Asked

    async def document(self, document: JsonObject) -> None:
        if (version := older_version(document)) is not None:
            name_older_version(document, version, self.findings)
        elif ENVELOPED_CREDENTIAL in types_of(document):
            await self._envelope(document)
        elif is_presentation(document):
            name_presentation(self.findings)
        elif not is_open_badge_2(document):
            await self.credentials.document(document, self.findings, expected_recipient=self.asked.expected_recipient)
        elif is_looked_up(assertion := await plain(document)):
            await self._hosted(assertion)
        else:
            await unsigned(assertion, self.findings)

    async def _hosted(self, assertion: JsonObject) -> None:
        hosted = HostedVerification(documents=self.documents, now=self.now)
        badge = await hosted.document(assertion, self.findings, expected_recipient=self.asked.expected_recipient)
        await self._endorsed(badge)

    async def _endorsed(self, badge: Badge) -> None:
        seconds = time_for_endorsements(self.asked.endorsements_time, self.asked.end)
        endorsements = EndorsementsVerification(documents=self.documents, now=self.now)
        await endorsements.check(badge, self.findings, seconds=seconds)

    async def _envelope(self, envelope: JsonObject) -> None:
        if (inner := enveloped(envelope, self.findings)) is None:
            return
        try:
            await self.token(inner)
        except InvalidInput as error:
            name_unopened(self.findings, f"/id {error.detail}")

    async def token(self, given: Token) -> None:
        try:
            token = await decoded(given)
        except UnsupportedJwt as error:
            with contextlib.suppress(InvalidInput, UnsupportedJwt):
                if is_presentation((await decoded_presentation(given)).credential):
                    name_presentation(self.findings)
                    return
            self.findings.add(*unsupported_token(given.value, error).checks)
            return
        if (version := older_version(token.claims)) is not None:
            name_older_version(token.claims, version, self.findings)
        elif is_presentation(token.credential):
            name_presentation(self.findings)
        elif not is_open_badge_2(token.claims):
            await self.credentials.token(token, self.findings, expected_recipient=self.asked.expected_recipient)
        elif is_hosted((token := await plain_token(token)).claims):
            await self._hosted(token.claims)  # whose host answers for it needs no signature
        else:
            signed = SignedVerification(documents=self.documents, now=self.now)
            badge = await signed.token(token, self.findings, expected_recipient=self.asked.expected_recipient)
            await self._endorsed(badge)


def _address(url: str) -> Address:
    with contextlib.suppress(UnreadableInput):
        given = read_input(url)
        if isinstance(given, Address):
            return given
    raise UnreadableInput(
        "Only https addresses are fetched, and this is none.",
        hint="Give an address that begins with https://, or send the badge itself.",
    )


@contextlib.asynccontextmanager
async def _limited(seconds: float, findings: Findings) -> AsyncIterator[float]:
    """Cut the work short after some seconds, at the time given; what was found until then stays found."""
    end = asyncio.get_running_loop().time() + seconds
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            yield end
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
