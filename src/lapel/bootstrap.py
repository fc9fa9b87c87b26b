"""From settings to a running application: the only place where the parts are wired together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from litestar import Litestar
from litestar.types import ASGIApp

from lapel.config import Settings
from lapel.config.rules import networks_in
from lapel.credentials.jsonld import GeneralPath
from lapel.credentials.signing.outside_signer import OutsideSigner
from lapel.credentials.signing.process import SigningProcess
from lapel.database.errors import WrongSchema
from lapel.database.factory import DatabaseFactory
from lapel.database.interface import Database
from lapel.domain.addresses import PUBLIC_URL_FACT, Addresses
from lapel.domain.clock import Clock, system_clock
from lapel.domain.identifiers import IdSource, uuid7_source
from lapel.errors import Conflict
from lapel.fetching.caching import CachingFetcher
from lapel.from_settings import access_tokens_of, database_settings_of, master_key_of, rate_limits_of, signer_of
from lapel.http.app import build_app
from lapel.http.limits.client_address import TrustedProxies
from lapel.http.metrics import Measuring, Peers
from lapel.http.own_documents import OwnDocuments
from lapel.http.services import Readiness, Services, Standing
from lapel.logs import AccessLog, reason_of
from lapel.maintenance.copying import refuse_unfinished
from lapel.services.access.api_keys import ApiKeys, CreatedApiKey
from lapel.services.access.organisations import Organisations
from lapel.services.achievements import Achievements
from lapel.services.auditing.log import AuditLog
from lapel.services.credentials import Credentials
from lapel.services.endorsing.endorsements import Endorsements
from lapel.services.endorsing.endorsing import Endorsing
from lapel.services.erasing import Erasing
from lapel.services.idempotency import Idempotency
from lapel.services.images import Images
from lapel.services.issue_keys import IssueKeys
from lapel.services.issuers import Issuers
from lapel.services.issuing.batches import Batches
from lapel.services.issuing.bulk_issuing import BulkIssuing
from lapel.services.issuing.issuing import Issuing
from lapel.services.issuing.replacing import Replacing
from lapel.services.issuing.securing import Securing
from lapel.services.issuing.status_allocation import StatusAllocation
from lapel.services.keys.key_ring import KeyRing
from lapel.services.keys.master_key import KeptMasterKey
from lapel.services.keys.signing_keys import SigningKeys
from lapel.services.many_statuses import ManyStatuses
from lapel.services.open_badges_2 import OpenBadges2
from lapel.services.renditions import Renditions
from lapel.services.signed_assertions import SignedAssertions
from lapel.services.status import Statuses
from lapel.services.vc_api.issuing import VcIssuing
from lapel.services.vc_api.status import VcStatus
from lapel.services.vc_api.verification import VcVerification
from lapel.services.verifying import Verifying
from lapel.services.verifying.drafts import Drafts
from lapel.verifier import contexts_of, guarded_fetcher_of, open_verifying, start_settings
from lapel.web.site import Site

__all__ = [
    "Application",
    "PublicUrlDiffers",
    "build",
    "master_key_of",
    "open_database",
    "open_verifying",
    "reason_of",
    "start_settings",
]


class PublicUrlDiffers(Conflict):
    """The server issues under a different address than this command would."""

    code = "public_url_differs"
    hint = "Leave LAPEL_PUBLIC_URL unset to take the server's, or start the server under this one first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Everything wired, nothing opened yet. Use it as an asynchronous context, which closes it."""

    settings: Settings
    database: Database
    services: Services
    master_key: KeptMasterKey
    fetcher: CachingFetcher
    general_path: GeneralPath
    bulk_issuing: BulkIssuing
    signing_process: SigningProcess | None = None
    outside_signer: OutsideSigner | None = None

    async def start(self, *, make: bool = True) -> None:
        """Connect, and check that schema and master key are the right ones.

        Args:
            make: bring an embedded database's schema up to date first, and make the master key of a new one. A
                database that others share is never migrated on the way: several versions may be running on it.

        Raises:
            WrongSchema: the database needs `lapel db migrate`.
            UnfinishedCopy: the database is to be another's copy, and is not yet.
            WrongMasterKey: the database was made under another master key.
        """
        await self.database.connect()
        if make and not self.database.capabilities.several_processes:
            await self.database.migrate()
        status = await self.database.migration_status()
        if status.pending:
            raise WrongSchema(f"The database's tables are not those of this version: {len(status.pending)} to run.")
        await refuse_unfinished(self.database)
        await self.master_key.establish(self.database, make=make)

    async def first_key(self) -> CreatedApiKey | None:
        """Make sure that somebody may administer: ``LAPEL_ADMIN_KEY``'s holder, or on an empty database a new key.

        Returns:
            The new key, to be shown once.
        """
        if self.settings.admin_key is not None:
            await self.services.api_keys.ensure_admin(self.settings.admin_key.get_secret_value())
            return None
        return await self.services.api_keys.bootstrap()

    async def public_url_warning(self) -> str | None:
        """Keep in the database under which address badges are issued. For the server; call it after `start`.

        Returns:
            What to tell the operator if the address has changed since the first issuer was made.
        """
        now = self.settings.public_url
        async with self.database.transaction() as tx:
            kept = (await tx.server_facts.put_if_absent(PUBLIC_URL_FACT, now.encode())).decode()
            if kept == now:
                return None
            if await tx.issuers.default() is None:  # nothing carries the old one
                await tx.server_facts.replace(PUBLIC_URL_FACT, now.encode())
                return None
        return (
            f"The public URL is {now}, but badges of this database were issued under {kept}. Those carry the old"
            " address: they cannot be opened or verified unless it answers."
            f" Set LAPEL_PUBLIC_URL back to {kept}, or keep {kept} answering from this server."
        )

    async def signer_warning(self) -> str | None:
        """What to tell the operator if there is to be an outside signer and it takes no call now."""
        trouble = None if self.outside_signer is None else await self.outside_signer.problem()
        return trouble and (
            f"{trouble} Until it does, what its keys should sign is answered with 503."
            " Is it running, and does LAPEL_SIGNER_SOCKET name its socket?"
        )

    async def under_kept_public_url(self) -> Application:
        """For a command that issues: this, or its like on the same database under the address that the server keeps.

        Where no server has kept one yet, ours is kept. Only a server replaces it.

        Raises:
            PublicUrlDiffers: LAPEL_PUBLIC_URL says another one.
        """
        now = self.settings.public_url.encode()
        kept = (await self.database.run(lambda tx: tx.server_facts.put_if_absent(PUBLIC_URL_FACT, now))).decode()
        if kept == self.settings.public_url:
            return self
        if not self.settings.public_url_is_default:
            raise PublicUrlDiffers(
                f"LAPEL_PUBLIC_URL is {self.settings.public_url}, but this database's server issues under {kept}."
            )
        settings = self.settings.model_copy(update={"public_url": kept})
        return build(settings, database=self.database, master_key=self.master_key)

    async def stop(self) -> None:
        """Close everything, also where closing a part of it fails. Does nothing the second time."""
        async with contextlib.AsyncExitStack() as closing:
            closing.push_async_callback(self.database.disconnect)  # the last one: a stack is closed from its top
            for part in (self.outside_signer, self.signing_process, self.general_path, self.fetcher):
                if part is not None:
                    closing.push_async_callback(part.close)

    def asgi(self) -> ASGIApp:
        """The HTTP application. The server's end is this application's: requests are answered, then all is closed."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Litestar) -> AsyncIterator[None]:
            try:
                yield
            finally:
                await self.stop()

        return build_app(self.services, lifespan=lifespan)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


def open_database(
    settings: Settings, *, serves: bool = False, make: bool = True, patience: float | None = None
) -> Database:
    """The configured database, not connected yet.

    Args:
        make: make an embedded database's file if there is none.
        patience: seconds at most in which to connect, for a command that somebody waits for.

    Raises:
        UnknownDatabaseType: DB_TYPE names no installed module.
    """
    wanted = database_settings_of(settings, serves=serves, make=make, patience=patience)
    return DatabaseFactory.with_installed_modules().create(settings.db_type, wanted)


def build(
    settings: Settings,
    *,
    serves: bool = False,
    make: bool = True,
    patience: float | None = None,
    clock: Clock = system_clock,
    new_id: IdSource | None = None,
    database: Database | None = None,
    master_key: KeptMasterKey | None = None,
    peers: Peers | None = None,
) -> Application:
    """Wire an application. Nothing is connected yet.

    Args:
        serves: it is going to be a server: on an embedded database there can be one.
        make, patience: as for `open_database`.
        database, master_key: in place of those that the settings name.
        peers: the processes that are going to serve together with this one.

    Raises:
        UnknownDatabaseType: DB_TYPE names no installed module.
        MissingMasterKey: there is none, and none may be made.
    """
    store = database or open_database(settings, serves=serves, make=make, patience=patience)
    master_key = master_key or master_key_of(settings, store)
    ids = new_id or uuid7_source()
    addresses = Addresses(settings.public_url)
    guarded = guarded_fetcher_of(settings)
    fetcher = CachingFetcher(guarded)
    signer = signer_of(settings)
    key_ring = KeyRing(store=store, master_key=master_key.key, clock=clock, new_id=ids, holder=signer)
    signing_process = SigningProcess() if settings.signing_process else None
    securing = Securing(key_ring=key_ring, addresses=addresses, clock=clock, process=signing_process)
    images = Images(store=store, clock=clock, new_id=ids, addresses=addresses, fetcher=fetcher)
    # What verifies is made of what publishes, so that it comes last.
    endorsements = Endorsements(verifier=lambda most: verifying.several(max_fetches=most))
    issuers = Issuers(
        store=store,
        clock=clock,
        new_id=ids,
        addresses=addresses,
        key_ring=key_ring,
        images=images,
        endorsements=endorsements,
    )
    statuses = Statuses(store=store, clock=clock, addresses=addresses, securing=securing)
    renditions = Renditions(store=store, addresses=addresses, images=images)
    credentials = Credentials(store=store, master_key=master_key.key)
    achievements = Achievements(
        store=store, clock=clock, new_id=ids, addresses=addresses, images=images, endorsements=endorsements
    )
    api_keys = ApiKeys(store=store, clock=clock, new_id=ids, randomness=os.urandom)
    allocation = StatusAllocation(store=store, clock=clock, new_id=ids)

    contexts = contexts_of(settings)
    general_path = GeneralPath(contexts)
    verifying = Verifying(
        fetcher=fetcher,
        clock=clock,
        contexts=contexts,
        general_path=general_path,
        own=OwnDocuments(
            addresses=addresses,
            issuers=issuers,
            achievements=achievements,
            credentials=credentials,
            statuses=statuses,
            renditions=renditions,
        ),
    )

    async def readiness() -> Readiness:
        health = await store.health()
        report = health.to_json()
        for inner in ("module", "serverVersion"):  # anybody may ask
            del report[inner]
        return Readiness(health.ok, report, signer=None if signer is None else await signer.problem() is None)

    issuing = Issuing(
        store=store,
        clock=clock,
        new_id=ids,
        addresses=addresses,
        securing=securing,
        allocation=allocation,
        master_key=master_key.key,
        randomness=os.urandom,
        endorsements=endorsements,
    )
    issue_keys = IssueKeys(master_key.key)
    services = Services(
        addresses=addresses,
        clock=clock,
        issuers=issuers,
        signing_keys=SigningKeys(store=store, clock=clock, key_ring=key_ring, holder=signer),
        achievements=achievements,
        issuing=issuing,
        replacing=Replacing(store=store, clock=clock, addresses=addresses, issuing=issuing),
        open_badges_2=OpenBadges2(
            store=store, addresses=addresses, issuers=issuers, achievements=achievements, issuing=issuing
        ),
        batches=Batches(store=store, issuing=issuing),
        endorsing=Endorsing(
            store=store,
            clock=clock,
            new_id=ids,
            addresses=addresses,
            securing=securing,
            allocation=allocation,
            master_key=master_key.key,
        ),
        credentials=credentials,
        statuses=statuses,
        many_statuses=ManyStatuses(store=store, clock=clock, addresses=addresses),
        renditions=renditions,
        signed_assertions=SignedAssertions(store=store, addresses=addresses, key_ring=key_ring, renditions=renditions),
        images=images,
        audit_log=AuditLog(store=store, clock=clock),
        erasing=Erasing(store=store, clock=clock, new_id=ids, addresses=addresses, master_key=master_key.key),
        api_keys=api_keys,
        access_tokens=access_tokens_of(settings, guarded, store, clock),
        organisations=Organisations(store=store, clock=clock, new_id=ids, api_keys=api_keys),
        idempotency=Idempotency(store=store, clock=clock, master_key=master_key.key),
        verifying=verifying,
        vc_issuing=VcIssuing(
            store=store,
            clock=clock,
            new_id=ids,
            addresses=addresses,
            securing=securing,
            allocation=allocation,
            master_key=master_key.key,
            drafts=Drafts(contexts=contexts, general_path=general_path),
        ),
        vc_verification=VcVerification(verifying=verifying),
        vc_status=VcStatus(store=store, addresses=addresses, statuses=statuses, issue_keys=issue_keys),
        pages=Site(addresses),
        readiness=readiness,
        measuring=Measuring(store.metrics, peers=peers),
        metrics_key=settings.metrics_key.get_secret_value() if settings.metrics_key else None,
        access_log=AccessLog(settings.log_format) if settings.access_log else None,
        standing=Standing(),
        max_body_bytes=settings.max_body_bytes,
        rate_limits=rate_limits_of(settings),
        request_seconds=settings.request_timeout_ms / 1000,
        trusted_proxies=TrustedProxies(networks_in(settings.trusted_proxies)),
    )
    return Application(
        settings=settings,
        database=store,
        services=services,
        master_key=master_key,
        fetcher=fetcher,
        general_path=general_path,
        bulk_issuing=BulkIssuing(store=store, clock=clock, issuing=issuing, issue_keys=issue_keys),
        signing_process=signing_process,
        outside_signer=signer,
    )
