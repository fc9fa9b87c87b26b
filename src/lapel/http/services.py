"""The services and settings that the HTTP interface works with."""

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
from lapel.http.metrics import MetricsExporter
from lapel.services.access.access_tokens import AccessTokens
from lapel.services.access.api_keys import ApiKeys
from lapel.services.access.organisations import Organisations
from lapel.services.achievements import Achievements
from lapel.services.answers import ProblemDocument
from lapel.services.auditing.log import AuditLog
from lapel.services.credentials import Credentials
from lapel.services.erasing import Erasing
from lapel.services.idempotency import Idempotency
from lapel.services.images import Images
from lapel.services.issuers import Issuers
from lapel.services.issuing.batches import Batches
from lapel.services.issuing.endorsing import Endorsing
from lapel.services.issuing.issuing import Issuing
from lapel.services.issuing.replacing import Replacing
from lapel.services.keys.signing_keys import SigningKeys
from lapel.services.many_statuses import ManyStatuses
from lapel.services.open_badges_2 import OpenBadges2
from lapel.services.renditions import Renditions
from lapel.services.signed_assertions import SignedAssertions
from lapel.services.status import Statuses
from lapel.services.vc_api.issuing import VcIssuing
from lapel.services.vc_api.status import VcStatuses
from lapel.services.vc_api.verification import VcVerification
from lapel.services.verifying import Report, Verifying

__all__ = ["AccessLog", "Pages", "Readiness", "Services", "ServingState"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The result of a real query to the database.

    Attributes:
        report: for ``GET /health/ready``. Its ``detail`` and a ``lastError`` may name the database's host and user.
        signer: whether the outside signer answers; None if there is none.
    """

    ok: bool
    report: JsonObject
    signer: bool | None = None


@dataclass(slots=True)
class ServingState:
    """The state of this server process.

    Attributes:
        accepts_requests: False once the process is shutting down, which ``GET /health/ready`` then reports.
    """

    accepts_requests: bool = True


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
    """Renders pages for people, as HTML in UTF-8."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields to send with every page: what it may load, and who may frame it."""
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
        """Render a credential: what was earned, by whom, when, and whether it is valid at `now`.

        Args:
            document: its content as JSON, whichever way it is secured.
            is_believed: its signing key was not compromised when it was signed.
            issuer_name: the current name of its issuer.
            image_type: the media type of its image, if it has one.
            has_version_2: it is currently available as Open Badges 2.0.
        """
        ...

    def achievement(
        self,
        achievement: Achievement,
        document: JsonObject,
        *,
        issuer_name: str,
        newest: int,
        names: Mapping[str, str],
    ) -> bytes:
        """Render a version of an achievement.

        Args:
            document: the OB 3.0 Achievement.
            newest: the number of the newest version.
            names: the names of related achievements, as far as they are known, by URL.
        """
        ...

    def issuer(self, issuer: Issuer, document: JsonObject, achievements: Sequence[Achievement], *, more: bool) -> bytes:
        """Render an issuer and its newest achievements.

        Args:
            document: the OB 3.0 Profile.
            more: the issuer has more achievements than these.
        """
        ...

    @property
    def form_headers(self) -> Mapping[str, str]:
        """Header fields to send with a page that has a form, in place of `headers`."""
        ...

    def verification(self, address: str) -> bytes:
        """Render the form for verifying a badge. `address` pre-fills the badge's URL; it may be empty."""
        ...

    def report(self, report: Report) -> bytes:
        """Render the report of a verification."""
        ...

    def problem(self, problem: ProblemDocument) -> bytes:
        """Render an error."""
        ...

    def routes(self, description: JsonObject) -> bytes:
        """Render the routes of an OpenAPI description."""
        ...

    def errors(self) -> bytes:
        """Render the list of all error codes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The use cases, and the few settings of the HTTP interface itself.

    Attributes:
        access_tokens: checks an identity provider's tokens; None if no provider is configured.
        readiness: queries the database, and the outside signer if there is one.
        metrics_exporter: writes what ``GET /metrics`` shows.
        metrics_key: the bearer token that ``GET /metrics`` requires; None if anybody may read it.
        access_log: None if requests are not logged.
        max_body_bytes: a larger request body is answered with 413, except where a route has its own limit.
        trusted_proxies: the proxies that may name a request's client address and id.
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
    vc_statuses: VcStatuses
    pages: Pages
    readiness: Callable[[], Awaitable[Readiness]]
    metrics_exporter: MetricsExporter
    metrics_key: str | None
    access_log: AccessLog | None
    serving_state: ServingState
    max_body_bytes: int
    rate_limits: RateLimits
    request_seconds: float
    trusted_proxies: TrustedProxies
