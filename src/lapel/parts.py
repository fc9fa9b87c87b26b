"""The parts of an application and how they depend on each other. Each is built once, when it is first asked for."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from lapel.config import Settings
from lapel.config.rules import networks_in
from lapel.credentials.jsonld import Contexts, GeneralPath
from lapel.credentials.key_storage.master_key import MasterKey
from lapel.credentials.signing.outside_signer import OutsideSigner
from lapel.credentials.signing.process import SigningProcess
from lapel.database.interface import Database
from lapel.domain.addresses import Addresses
from lapel.domain.clock import Clock
from lapel.domain.identifiers import IdSource
from lapel.fetching.caching import CachingFetcher
from lapel.from_settings import access_tokens_of, rate_limits_of, signer_of
from lapel.http.limits.client_address import TrustedProxies
from lapel.http.metrics import MetricsExporter, Peers
from lapel.http.own_documents import OwnDocuments
from lapel.http.services import Readiness, Services, ServingState
from lapel.logs import AccessLog
from lapel.services.access.api_keys import ApiKeys
from lapel.services.access.organisations import Organisations
from lapel.services.achievements import Achievements
from lapel.services.auditing.log import AuditLog
from lapel.services.credentials import Credentials
from lapel.services.embedded_endorsements import Endorsements
from lapel.services.erasing import Erasing
from lapel.services.idempotency import Idempotency
from lapel.services.images import Images
from lapel.services.issue_keys import IssueKeys
from lapel.services.issuers import Issuers
from lapel.services.issuing.batches import Batches
from lapel.services.issuing.bulk_issuing import BulkIssuing
from lapel.services.issuing.endorsing import Endorsing
from lapel.services.issuing.issuing import Issuing
from lapel.services.issuing.means import IssuingMeans
from lapel.services.issuing.replacing import Replacing
from lapel.services.issuing.status_allocation import StatusAllocation
from lapel.services.keys.key_ring import KeyRing
from lapel.services.keys.signing_keys import SigningKeys
from lapel.services.many_statuses import ManyStatuses
from lapel.services.open_badges_2 import OpenBadges2
from lapel.services.recipient_look_up import RecipientLookUp
from lapel.services.renditions import Renditions
from lapel.services.securing import Securing
from lapel.services.signed_assertions import SignedAssertions
from lapel.services.status import Statuses
from lapel.services.vc_api.issuing import VcIssuing
from lapel.services.vc_api.status import VcStatuses
from lapel.services.vc_api.verification import VcVerification
from lapel.services.verifying import Verifying
from lapel.services.verifying.drafts import Drafts
from lapel.verifier import contexts_of, guarded_fetcher_of
from lapel.web.site import Site

if TYPE_CHECKING:  # loaded only when an application is built
    from lapel.fetching.client import GuardedFetcher

__all__ = ["Parts"]


class Parts:
    """Builds every part of one application. Nothing is connected yet.

    Args:
        peers: the processes that serve together with this one; None if there are no others.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        master_key: MasterKey,
        clock: Clock,
        new_id: IdSource,
        peers: Peers | None,
    ) -> None:
        self.settings = settings
        self.store = database
        self.master_key = master_key
        self.clock = clock
        self.new_id = new_id
        self.peers = peers

    @cached_property
    def addresses(self) -> Addresses:
        return Addresses(self.settings.public_url)

    @cached_property
    def guarded_fetcher(self) -> GuardedFetcher:
        return guarded_fetcher_of(self.settings)

    @cached_property
    def fetcher(self) -> CachingFetcher:
        return CachingFetcher(self.guarded_fetcher)

    @cached_property
    def contexts(self) -> Contexts:
        return contexts_of(self.settings)

    @cached_property
    def general_path(self) -> GeneralPath:
        return GeneralPath(self.contexts)

    @cached_property
    def outside_signer(self) -> OutsideSigner | None:
        return signer_of(self.settings)

    @cached_property
    def signing_process(self) -> SigningProcess | None:
        return SigningProcess() if self.settings.signing_process else None

    @cached_property
    def key_ring(self) -> KeyRing:
        return KeyRing(
            store=self.store,
            master_key=self.master_key,
            clock=self.clock,
            new_id=self.new_id,
            holder=self.outside_signer,
        )

    @cached_property
    def securing(self) -> Securing:
        return Securing(
            key_ring=self.key_ring, addresses=self.addresses, clock=self.clock, process=self.signing_process
        )

    @cached_property
    def status_allocation(self) -> StatusAllocation:
        return StatusAllocation(store=self.store, clock=self.clock, new_id=self.new_id)

    @cached_property
    def recipients(self) -> RecipientLookUp:
        return RecipientLookUp(self.master_key)

    @cached_property
    def issuing_means(self) -> IssuingMeans:
        return IssuingMeans(
            store=self.store,
            clock=self.clock,
            new_id=self.new_id,
            addresses=self.addresses,
            securing=self.securing,
            allocation=self.status_allocation,
            recipients=self.recipients,
        )

    @cached_property
    def issue_keys(self) -> IssueKeys:
        return IssueKeys(self.master_key)

    @cached_property
    def images(self) -> Images:
        return Images(
            store=self.store, clock=self.clock, new_id=self.new_id, addresses=self.addresses, fetcher=self.fetcher
        )

    @cached_property
    def endorsements(self) -> Endorsements:
        # `verifying` itself depends on `issuers`, and so on this: it is looked up only when something is verified.
        return Endorsements(verifier=lambda max_fetches: self.verifying.several(max_fetches=max_fetches))

    @cached_property
    def issuers(self) -> Issuers:
        return Issuers(
            store=self.store,
            clock=self.clock,
            new_id=self.new_id,
            addresses=self.addresses,
            key_ring=self.key_ring,
            images=self.images,
            endorsements=self.endorsements,
        )

    @cached_property
    def achievements(self) -> Achievements:
        return Achievements(
            store=self.store,
            clock=self.clock,
            new_id=self.new_id,
            addresses=self.addresses,
            images=self.images,
            endorsements=self.endorsements,
        )

    @cached_property
    def credentials(self) -> Credentials:
        return Credentials(store=self.store, recipients=self.recipients)

    @cached_property
    def statuses(self) -> Statuses:
        return Statuses(store=self.store, clock=self.clock, addresses=self.addresses, securing=self.securing)

    @cached_property
    def renditions(self) -> Renditions:
        return Renditions(store=self.store, addresses=self.addresses, images=self.images)

    @cached_property
    def issuing(self) -> Issuing:
        return Issuing(self.issuing_means, randomness=os.urandom, endorsements=self.endorsements)

    @cached_property
    def bulk_issuing(self) -> BulkIssuing:
        return BulkIssuing(store=self.store, clock=self.clock, issuing=self.issuing, issue_keys=self.issue_keys)

    @cached_property
    def endorsing(self) -> Endorsing:
        return Endorsing(self.issuing_means)

    @cached_property
    def open_badges_2(self) -> OpenBadges2:
        return OpenBadges2(
            store=self.store,
            addresses=self.addresses,
            issuers=self.issuers,
            achievements=self.achievements,
            issuing=self.issuing,
        )

    @cached_property
    def verifying(self) -> Verifying:
        return Verifying(
            fetcher=self.fetcher,
            clock=self.clock,
            contexts=self.contexts,
            general_path=self.general_path,
            own=OwnDocuments(
                addresses=self.addresses,
                issuers=self.issuers,
                achievements=self.achievements,
                credentials=self.credentials,
                statuses=self.statuses,
                renditions=self.renditions,
            ),
        )

    @cached_property
    def vc_issuing(self) -> VcIssuing:
        drafts = Drafts(contexts=self.contexts, general_path=self.general_path)
        return VcIssuing(self.issuing_means, issue_keys=self.issue_keys, drafts=drafts)

    @cached_property
    def vc_statuses(self) -> VcStatuses:
        return VcStatuses(
            store=self.store, addresses=self.addresses, statuses=self.statuses, issue_keys=self.issue_keys
        )

    @cached_property
    def api_keys(self) -> ApiKeys:
        return ApiKeys(store=self.store, clock=self.clock, new_id=self.new_id, randomness=os.urandom)

    async def readiness(self) -> Readiness:
        """Ask the database, and the outside signer if there is one, whether they answer."""
        health = await self.store.health()
        report = health.to_json()
        for private in ("module", "serverVersion"):  # anybody may ask
            del report[private]
        signer = self.outside_signer
        return Readiness(health.ok, report, signer=None if signer is None else await signer.problem() is None)

    @cached_property
    def services(self) -> Services:
        settings, store, clock, new_id, addresses = self.settings, self.store, self.clock, self.new_id, self.addresses
        return Services(
            addresses=addresses,
            clock=clock,
            issuers=self.issuers,
            signing_keys=SigningKeys(store=store, clock=clock, key_ring=self.key_ring, holder=self.outside_signer),
            achievements=self.achievements,
            issuing=self.issuing,
            replacing=Replacing(store=store, clock=clock, addresses=addresses, issuing=self.issuing),
            open_badges_2=self.open_badges_2,
            batches=Batches(store=store, issuing=self.issuing),
            endorsing=self.endorsing,
            credentials=self.credentials,
            statuses=self.statuses,
            many_statuses=ManyStatuses(store=store, clock=clock, addresses=addresses),
            renditions=self.renditions,
            signed_assertions=SignedAssertions(
                store=store, addresses=addresses, key_ring=self.key_ring, renditions=self.renditions
            ),
            images=self.images,
            audit_log=AuditLog(store=store, clock=clock),
            erasing=Erasing(
                store=store,
                clock=clock,
                new_id=new_id,
                addresses=addresses,
                recipients=self.recipients,
                issue_keys=self.issue_keys,
            ),
            api_keys=self.api_keys,
            access_tokens=access_tokens_of(settings, self.guarded_fetcher, store, clock),
            organisations=Organisations(store=store, clock=clock, new_id=new_id, api_keys=self.api_keys),
            idempotency=Idempotency(store=store, clock=clock, master_key=self.master_key),
            verifying=self.verifying,
            vc_issuing=self.vc_issuing,
            vc_verification=VcVerification(verifying=self.verifying),
            vc_statuses=self.vc_statuses,
            pages=Site(addresses),
            readiness=self.readiness,
            metrics_exporter=MetricsExporter(store.metrics, peers=self.peers),
            metrics_key=settings.metrics_key.get_secret_value() if settings.metrics_key else None,
            access_log=AccessLog(settings.log_format) if settings.access_log else None,
            serving_state=ServingState(),
            max_body_bytes=settings.max_body_bytes,
            rate_limits=rate_limits_of(settings),
            request_seconds=settings.request_timeout_ms / 1000,
            trusted_proxies=TrustedProxies(networks_in(settings.trusted_proxies)),
        )
