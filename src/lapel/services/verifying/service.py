"""Verify a badge: is it genuine, and is it still valid?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lapel.credentials.baking import image_type
from lapel.credentials.jose.vc_jwt import UnsupportedJwt, VcJwt
from lapel.credentials.jsonld import Contexts
from lapel.domain.clock import Clock
from lapel.domain.fetching import Fetched, Fetcher, FetchNotFound
from lapel.domain.json import JsonObject
from lapel.domain.json_members import types_of
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
        async with self._run(expected_recipient=expected_recipient) as run:
            await self._read(data, media_type, run, hops=_MAX_HOPS)
        return run.findings.report()

    def several(self, *, max_fetches: int) -> Callable[[str], Awaitable[Report]]:
        """Return a function that verifies several texts like `verify`, with one limit of fetches for all of them.

        Each has its own time limit. Endorsements in them are not verified.
        """
        documents = self._documents(max_fetches)

        async def verify(data: str) -> Report:
            async with self._run(documents, endorsements_time=0.0) as run:
                await self._read(data, None, run, hops=_MAX_HOPS)
            return run.findings.report()

        return verify

    @_VERIFIED.counting
    async def verify_url(self, url: str, *, expected_recipient: str | None = None) -> Report:
        """Verify the badge that is published at an address.

        Raises:
            FetchFailed: there is nothing at the address, or it cannot be fetched.
            InvalidInput, TooLarge, TooManyLargeBadges: see `verify`.
        """
        async with self._run(expected_recipient=expected_recipient) as run:
            await self._verify(_address(url), run, hops=_MAX_HOPS)
        return run.findings.report()

    async def verify_credential(self, given: Document | Token) -> Report:
        """Verify a credential of VC 2.0 or 1.1 that has been read. Any other document is treated as one.

        Raises:
            InvalidInput, TooLarge: the token cannot be read.
        """
        async with self._run() as run:
            await self._credentials(run, self._clock()).given(given, run.findings)
        return run.findings.report()

    async def verify_presentation(
        self, presentation: JsonObject | VcJwt, held: Sequence[Document | Token], expected: ExpectedPresentation
    ) -> PresentationReport:
        """Verify a presentation of VC 2.0 or 1.1 and its credentials, within the limits of one verification.

        Args:
            presentation: a document with embedded proofs, or a decoded token.
            held: its credentials, taken out of their envelopes; at most MAX_PRESENTED.
        """
        reports = [Findings() for _ in held]
        async with self._run(parts=reports) as run:
            now = self._clock()
            verification = PresentationVerification(
                maker=self._maker, credentials=self._credentials(run, now), documents=run.documents, now=now
            )
            await verification.verify(presentation, held, run.findings, reports, expected=expected)
        return PresentationReport(run.findings.report(), [report.report() for report in reports])

    @contextlib.asynccontextmanager
    async def _run(
        self,
        documents: Documents | None = None,
        *,
        expected_recipient: str | None = None,
        endorsements_time: float | None = None,
        parts: Sequence[Findings] = (),
    ) -> AsyncIterator[_Run]:
        """Yield a verification with its limits. When its time is over, the block ends, and what it has found stays.

        Args:
            parts: the findings about parts of it, each of which can be complete before the others.
        """
        findings = Findings()
        async with _limited(self._time_limit, findings, *parts) as end:
            yield _Run(
                findings=findings,
                documents=self._documents(self._max_fetches) if documents is None else documents,
                expected_recipient=expected_recipient,
                end=end,
                endorsements_time=self._endorsements_time if endorsements_time is None else endorsements_time,
            )

    def _credentials(self, run: _Run, now: datetime) -> CredentialVerification:
        return CredentialVerification(
            maker=self._maker,
            documents=run.documents,
            now=now,
            end=run.end,
            endorsements_time=run.endorsements_time,
        )

    async def _read(self, data: bytes | str, media_type: str | None, run: _Run, *, hops: int) -> None:
        text = await text_in(data, media_type=media_type)
        if isinstance(data, bytes) and image_type(data):
            run.findings.picture = data
        async with self.slot(len(text)):
            await self._verify(await read_text(text), run, hops=hops)

    async def _verify(self, given: Input, run: _Run, *, hops: int) -> None:
        if isinstance(given, Address):
            fetched = await self._fetch(given, run, hops)
            if fetched is not None:
                await self._read(fetched.body, fetched.media_type, run, hops=hops - 1)
            return
        now = self._clock()
        verification = _BadgeVerification(run=run, now=now, credentials=self._credentials(run, now))
        if isinstance(given, Token):
            await verification.token(given)
        else:
            await verification.document(given.value)

    async def _fetch(self, address: Address, run: _Run, hops: int) -> Fetched | None:
        if hops <= 0:
            raise UnreadableInput("The address leads to another address, and that to a third.")
        try:
            return await run.documents.get(address.value, accept=_ACCEPT_BADGE)
        except FetchNotFound as error:
            if error.status == 410 and await report_gone_assertion(address.value, error.body, run.findings):
                return None
            raise

    def _documents(self, max_fetches: int) -> Documents:
        return Documents(own=self._own, fetcher=self._fetcher, max_fetches=max_fetches)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One verification: what it has found, what it may fetch, and what was asked.

    Attributes:
        end: the deadline, in event loop time.
        endorsements_time: see `CredentialVerification`.
    """

    findings: Findings
    documents: Documents
    expected_recipient: str | None
    end: float
    endorsements_time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _BadgeVerification:
    """Verifies one badge in the way of its version of Open Badges."""

    run: _Run
    now: datetime
    credentials: CredentialVerification

    async def document(self, document: JsonObject) -> None:
        if (version := older_version(document)) is not None:
            report_older_version(document, version, self.run.findings)
        elif ENVELOPED_CREDENTIAL in types_of(document):
            await self._envelope(document)
        elif is_presentation(document):
            report_presentation(self.run.findings)
        elif not is_open_badge_2(document):
            await self.credentials.document(document, self.run.findings, expected_recipient=self.run.expected_recipient)
        elif is_verified_by_host(assertion := await normalised(document)):
            await self._hosted(assertion)
        else:
            await unsigned(assertion, self.run.findings)

    async def _hosted(self, assertion: JsonObject) -> None:
        hosted = HostedVerification(documents=self.run.documents, now=self.now)
        badge = await hosted.document(assertion, self.run.findings, expected_recipient=self.run.expected_recipient)
        await self._check_endorsements(badge)

    async def _check_endorsements(self, badge: Badge) -> None:
        seconds = time_for_endorsements(self.run.endorsements_time, self.run.end)
        endorsements = EndorsementsVerification(documents=self.run.documents, now=self.now)
        await endorsements.check(badge, self.run.findings, seconds=seconds)

    async def _envelope(self, envelope: JsonObject) -> None:
        if (inner := token_in_envelope(envelope, self.run.findings)) is None:
            return
        try:
            await self.token(inner)
        except InvalidInput as error:
            report_unopened(self.run.findings, f"/id {error.detail}")

    async def token(self, given: Token) -> None:
        try:
            token = await decoded(given)
        except UnsupportedJwt as error:
            with contextlib.suppress(InvalidInput, UnsupportedJwt):
                if is_presentation((await decoded_presentation(given)).credential):
                    report_presentation(self.run.findings)
                    return
            self.run.findings.add(*unsupported_token(given.value, error).checks)
            return
        if (version := older_version(token.claims)) is not None:
            report_older_version(token.claims, version, self.run.findings)
        elif is_presentation(token.credential):
            report_presentation(self.run.findings)
        elif not is_open_badge_2(token.claims):
            await self.credentials.token(token, self.run.findings, expected_recipient=self.run.expected_recipient)
        elif is_hosted((token := await normalised_token(token)).claims):
            await self._hosted(token.claims)  # verified by its host, without its signature
        else:
            signed = SignedVerification(documents=self.run.documents, now=self.now)
            badge = await signed.token(token, self.run.findings, expected_recipient=self.run.expected_recipient)
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
async def _limited(seconds: float, *findings: Findings) -> AsyncIterator[float]:
    """Stop the block after some seconds, and record that. Yields the deadline, in event loop time.

    The findings until then stay. Those that are not complete say that time was up.
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
        check = Check(
            code=CheckCode.TIME_LIMIT,
            outcome=Outcome.UNKNOWN,
            sentence=sentence,
            problem=Problem.TIMED_OUT,
            detail=f"{seconds:g} s",
        )
        for each in findings:
            if not each.complete:
                each.add(check)
