"""What HTTP is given to work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.clock import Clock
from lapel.domain.credential import Credential
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.http.limits.client_address import TrustedProxies
from lapel.http.limits.rate_limit import RateLimits
from lapel.http.metrics import Measuring
from lapel.services.access.access_tokens import AccessTokens
from lapel.services.access.api_keys import ApiKeys
from lapel.services.access.organisations import Organisations
from lapel.services.achievements import Achievements
from lapel.services.answers import ProblemDocument
from lapel.services.auditing.log import AuditLog
from lapel.services.credentials import Credentials
from lapel.services.endorsing.endorsing import Endorsing
from lapel.services.erasing import Erasing
from lapel.services.idempotency import Idempotency
from lapel.services.images import Images
from lapel.services.issuers import Issuers
from lapel.services.issuing.batches import Batches
from lapel.services.issuing.issuing import Issuing
from lapel.services.issuing.replacing import Replacing
from lapel.services.keys.signing_keys import SigningKeys
from lapel.services.many_statuses import ManyStatuses
from lapel.services.open_badges_2 import OpenBadges2
from lapel.services.renditions import Renditions
from lapel.services.signed_assertions import SignedAssertions
from lapel.services.status import Statuses
from lapel.services.vc_api.issuing import VcIssuing
from lapel.services.vc_api.status import VcStatus
from lapel.services.vc_api.verification import VcVerification
from lapel.services.verifying import Report, Verifying

__all__ = ["AccessLog", "Pages", "Readiness", "Services", "Standing"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a real query to the database has just told.

    Attributes:
        report: for ``GET /health/ready``; it names no address and no secret.
        signer: whether the outside signer takes calls; None where there is none.
    """

    ok: bool
    report: JsonObject
    signer: bool | None = None


@dataclass(slots=True)
class Standing:
    """Where this process stands.

    Attributes:
        accepts: it takes new requests; a server that ends does not, and says so before it stops.
    """

    accepts: bool = True


class AccessLog(Protocol):
    """Writes one line for each request."""

    def __call__(
        self,
        *,
        request_id: str,
        method: str,
        route: str,
        status: int,
        seconds: float,
        organisation: UUID | None,
        actor: str | None,
    ) -> None: ...


class Pages(Protocol):
    """Whoever draws pages for people; each comes as UTF-8 HTML."""

    @property
    def headers(self) -> Mapping[str, str]:
        """To be sent with every page: what it may load and who may frame it."""
        ...

    def credential(
        self,
        credential: Credential,
        document: JsonObject,
        *,
        now: datetime,
        is_believed: bool,
        issuer_name: str,
        image_type: str | None,
        has_version_2: bool,
    ) -> bytes:
        """A credential: what, who, when, and whether it holds at `now`.

        Args:
            document: its content as JSON, whichever way it is secured.
            is_believed: nobody else knew the key with which it was signed.
            issuer_name: what its issuer is called now.
            image_type: the media type of its image, if it has one.
            has_version_2: it can be had as Open Badges 2.0 now.
        """
        ...

    def achievement(self, achievement: Achievement, document: JsonObject, *, issuer_name: str, newest: int) -> bytes:
        """What is awarded, and for what, in one of the versions up to `newest`.

        Args:
            document: the OB 3.0 Achievement.
        """
        ...

    def issuer(self, issuer: Issuer, document: JsonObject, achievements: Sequence[Achievement], *, more: bool) -> bytes:
        """Who awards, and what: the newest `achievements`, and if there are more. `document` is the OB 3.0 Profile."""
        ...

    @property
    def form_headers(self) -> Mapping[str, str]:
        """To be sent with a page that has a form, in place of the others."""
        ...

    def verification(self, address: str) -> bytes:
        """The form for a badge, which may lie at `address`."""
        ...

    def report(self, report: Report) -> bytes:
        """What was found of a badge."""
        ...

    def problem(self, problem: ProblemDocument) -> bytes:
        """What went wrong."""
        ...

    def routes(self, description: JsonObject) -> bytes:
        """The routes of an OpenAPI description."""
        ...

    def errors(self) -> bytes:
        """Every error code."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases, and the few settings that HTTP itself obeys.

    Attributes:
        access_tokens: where an identity provider's tokens are believed.
        readiness: asks the database now.
        measuring: what is counted, for ``GET /metrics``.
        metrics_key: who asks for that must know it; None: anybody may ask.
        access_log: None: requests are not logged.
        max_body_bytes: a larger request body answers 413.
        trusted_proxies: whose word on where a request comes from is taken.
        rate_limits: how often a caller may ask.
        request_seconds: how long the work on one request may take.
    """

    addresses: Addresses
    clock: Clock
    issuers: Issuers
    signing_keys: SigningKeys
    achievements: Achievements
    issuing: Issuing
    batches: Batches
    endorsing: Endorsing
    credentials: Credentials
    statuses: Statuses
    many_statuses: ManyStatuses
    replacing: Replacing
    open_badges_2: OpenBadges2
    renditions: Renditions
    signed_assertions: SignedAssertions
    images: Images
    api_keys: ApiKeys
    audit_log: AuditLog
    erasing: Erasing
    organisations: Organisations
    access_tokens: AccessTokens | None
    idempotency: Idempotency
    verifying: Verifying
    vc_issuing: VcIssuing
    vc_verification: VcVerification
    vc_status: VcStatus
    pages: Pages
    readiness: Callable[[], Awaitable[Readiness]]
    measuring: Measuring
    metrics_key: str | None
    access_log: AccessLog | None
    standing: Standing
    max_body_bytes: int
    rate_limits: RateLimits
    request_seconds: float
    trusted_proxies: TrustedProxies
