"""Verify a badge: is it genuine, and is it still valid?"""

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
    is_presentation,
    report_presentation,
    report_unopened,
    token_in_envelope,
)
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.large_badges import LargeBadges
from lapel.services.verifying.linked_data.quads import GeneralProcessor, QuadMaker
from lapel.services.verifying.members import types_of
from lapel.services.verifying.open_badges_1 import older_version, report_older_version
from lapel.services.verifying.open_badges_2.assertion import Badge, is_hosted, is_open_badge_2, is_verified_by_host
from lapel.services.verifying.open_badges_2.endorsements import EndorsementsVerification
from lapel.services.verifying.open_badges_2.hosted import HostedVerification, report_gone_assertion
from lapel.services.verifying.open_badges_2.normal_form import normalised, normalised_token
from lapel.services.verifying.open_badges_2.signed import SignedVerification, unsigned
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
_MAX_HOPS: Final = 2

_VERDICTS: Final = {True: "valid", False: "not_valid", None: "unknown"}
_VERIFIED: Final = OutcomeCounter[Report](
    "lapel_verifications",
    "Verifications.",
    lambda report: _VERDICTS[report.valid],
    label="verdict",
    known=_VERDICTS.values(),
)


class Verifying:
    """Verifies badges from any issuer. Only a few large ones are verified at once.

    Args:
        fetcher: fetches other servers' documents.
        contexts: the known JSON-LD contexts; contexts are never fetched.
        general_path: processes JSON-LD that the fast path does not support; without it such documents are refused.
        own: this server's documents, which are not fetched over the network.
        time_limit: seconds for one verification.
        endorsements_time: how many of these seconds the endorsements in a badge may take.
        max_fetches: how many documents one verification may fetch.
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
        """Verify a badge: JSON, a compact token, or a PNG or SVG image with one of them baked in.

        Args:
            media_type: the type that the sender gave. The input is recognised by its content.
            expected_recipient: who should have earned it: an e-mail address, a DID, a URL, or another identifier.

        Raises:
            InvalidInput, TooLarge: the input cannot be read at all. The problems of a badge that can be read are in
                the report.
            TooManyLargeBadges: it is a large badge, and too many of these wait already.
        """
        findings = Findings()
        documents = self._documents(self._max_fetches)
        async with _limited(self._time_limit, findings) as end:
            options = _Options(
                expected_recipient=expected_recipient, end=end, endorsements_time=self._endorsements_time
            )
            await self._read(data, media_type, findings, documents, options, hops=_MAX_HOPS)
        return findings.report()

    def several(self, *, max_fetches: int) -> Callable[[str], Awaitable[Report]]:
        """Return a function that verifies several texts like `verify`, with one limit of fetches for all of them.

        Each has its own time limit. Endorsements in them are not verified.
        """
        documents = self._documents(max_fetches)

        async def verify(data: str) -> Report:
            findings = Findings()
            async with _limited(self._time_limit, findings) as end:
                options = _Options(expected_recipient=None, end=end, endorsements_time=0.0)
                await self._read(data, None, findings, documents, options, hops=_MAX_HOPS)
            return findings.report()

        return verify

    @_VERIFIED.counting
    async def verify_url(self, url: str, *, expected_recipient: str | None = None) -> Report:
        """Verify the badge that is published at an address.

        Raises:
            FetchFailed: there is nothing at the address, or it cannot be fetched.
            InvalidInput, TooLarge, TooManyLargeBadges: see `verify`.
        """
        findings = Findings()
        documents = self._documents(self._max_fetches)
        async with _limited(self._time_limit, findings) as end:
            options = _Options(
                expected_recipient=expected_recipient, end=end, endorsements_time=self._endorsements_time
            )
            await self._verify(_address(url), findings, documents, options, hops=_MAX_HOPS)
        return findings.report()

    async def verify_credential(self, given: Document | Token) -> Report:
        """Verify a credential of VC 2.0 or 1.1 that has been read. Any other document is treated as one.

        Raises:
            InvalidInput, TooLarge: the token cannot be read.
        """
        findings = Findings()
        async with self._verification(findings) as credentials:
            await credentials.given(given, findings)
        return findings.report()

    async def verify_presentation(
        self, presentation: JsonObject | VcJwt, held: Sequence[Document | Token], expected: ExpectedPresentation
    ) -> PresentationReport:
        """Verify a presentation of VC 2.0 or 1.1 and its credentials, within the limits of one verification.

        Args:
            presentation: a document with embedded proofs, or a decoded token.
            held: its credentials, taken out of their envelopes; at most MAX_PRESENTED.
        """
        findings, reports = Findings(), [Findings() for _ in held]
        async with self._verification(findings) as credentials:
            verification = PresentationVerification(
                maker=self._maker, credentials=credentials, documents=credentials.documents, now=self._clock()
            )
            await verification.verify(presentation, held, findings, reports, expected=expected)
        return PresentationReport(findings.report(), [report.report() for report in reports])

    @contextlib.asynccontextmanager
    async def _verification(self, findings: Findings) -> AsyncIterator[CredentialVerification]:
        """Yield a `CredentialVerification` with the limits of one verification."""
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
        options: _Options,
        *,
        hops: int,
    ) -> None:
        text = await text_in(data, media_type=media_type)
        if isinstance(data, bytes) and image_type(data):
            findings.picture = data
        async with self.slot(len(text)):
            await self._verify(await read_text(text), findings, documents, options, hops=hops)

    async def _verify(
        self, given: Input, findings: Findings, documents: Documents, options: _Options, *, hops: int
    ) -> None:
        if isinstance(given, Address):
            fetched = await self._fetch(given, findings, documents, hops)
            if fetched is not None:
                await self._read(fetched.body, fetched.media_type, findings, documents, options, hops=hops - 1)
            return
        now = self._clock()
        verification = _BadgeVerification(
            credentials=CredentialVerification(
                maker=self._maker,
                documents=documents,
                now=now,
                end=options.end,
                endorsements_time=options.endorsements_time,
            ),
            documents=documents,
            now=now,
            findings=findings,
            options=options,
        )
        if isinstance(given, Token):
            await verification.token(given)
        else:
            await verification.document(given.value)

    async def _fetch(self, address: Address, findings: Findings, documents: Documents, hops: int) -> Fetched | None:
        if hops <= 0:
            raise UnreadableInput("The address leads to another address, and that to a third.")
        try:
            return await documents.get(address.value, accept=_ACCEPT_BADGE)
        except FetchNotFound as error:
            if error.status == 410 and await report_gone_assertion(address.value, error.body, findings):
                return None
            raise

    def _documents(self, max_fetches: int) -> Documents:
        return Documents(own=self._own, fetcher=self._fetcher, max_fetches=max_fetches)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The options of one verification.

    Attributes:
        end: the deadline, in event loop time.
    """

    expected_recipient: str | None
    end: float
    endorsements_time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _BadgeVerification:
    """Verifies one badge in the way of its version of Open Badges."""

    credentials: CredentialVerification
    documents: Documents
    now: datetime
    findings: Findings
    options: _Options

    async def document(self, document: JsonObject) -> None:
        if (version := older_version(document)) is not None:
            report_older_version(document, version, self.findings)
        elif ENVELOPED_CREDENTIAL in types_of(document):
            await self._envelope(document)
        elif is_presentation(document):
            report_presentation(self.findings)
        elif not is_open_badge_2(document):
            await self.credentials.document(document, self.findings, expected_recipient=self.options.expected_recipient)
        elif is_verified_by_host(assertion := await normalised(document)):
            await self._hosted(assertion)
        else:
            await unsigned(assertion, self.findings)

    async def _hosted(self, assertion: JsonObject) -> None:
        hosted = HostedVerification(documents=self.documents, now=self.now)
        badge = await hosted.document(assertion, self.findings, expected_recipient=self.options.expected_recipient)
        await self._check_endorsements(badge)

    async def _check_endorsements(self, badge: Badge) -> None:
        seconds = time_for_endorsements(self.options.endorsements_time, self.options.end)
        endorsements = EndorsementsVerification(documents=self.documents, now=self.now)
        await endorsements.check(badge, self.findings, seconds=seconds)

    async def _envelope(self, envelope: JsonObject) -> None:
        if (inner := token_in_envelope(envelope, self.findings)) is None:
            return
        try:
            await self.token(inner)
        except InvalidInput as error:
            report_unopened(self.findings, f"/id {error.detail}")

    async def token(self, given: Token) -> None:
        try:
            token = await decoded(given)
        except UnsupportedJwt as error:
            with contextlib.suppress(InvalidInput, UnsupportedJwt):
                if is_presentation((await decoded_presentation(given)).credential):
                    report_presentation(self.findings)
                    return
            self.findings.add(*unsupported_token(given.value, error).checks)
            return
        if (version := older_version(token.claims)) is not None:
            report_older_version(token.claims, version, self.findings)
        elif is_presentation(token.credential):
            report_presentation(self.findings)
        elif not is_open_badge_2(token.claims):
            await self.credentials.token(token, self.findings, expected_recipient=self.options.expected_recipient)
        elif is_hosted((token := await normalised_token(token)).claims):
            await self._hosted(token.claims)  # verified by its host, without its signature
        else:
            signed = SignedVerification(documents=self.documents, now=self.now)
            badge = await signed.token(token, self.findings, expected_recipient=self.options.expected_recipient)
            await self._check_endorsements(badge)


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
    """Stop the block after some seconds, and record that. Yields the deadline, in event loop time.

    The findings until then stay.
    """
    end = asyncio.get_running_loop().time() + seconds
    timeout = asyncio.timeout_at(end)
    try:
        async with timeout:
            yield end
    except TimeoutError:
        if not timeout.expired():
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
