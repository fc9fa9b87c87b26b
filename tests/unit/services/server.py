"""The services on an in-memory database, wired as the server wires them, with a clock that stands still."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from lapel.credentials.jsonld import Contexts
from lapel.credentials.key_storage.master_key import MasterKey
from lapel.credentials.signing.process import SigningProcess
from lapel.database.interface import Database, DatabaseSettings
from lapel.domain.access import Principal, Role, scopes_of
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential
from lapel.domain.fetching import Fetched, FetchNotFound
from lapel.domain.identifiers import uuid7_source
from lapel.domain.issuer import Issuer
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID, Organisation
from lapel.domain.ports import KeyHolder
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
from lapel.services.recipient_look_up import RecipientLookUp
from lapel.services.renditions import Renditions
from lapel.services.requests import NewAchievement, NewCredential, NewIssuer
from lapel.services.securing import Securing
from lapel.services.signed_assertions import SignedAssertions
from lapel.services.status import Statuses
from lapel.services.vc_api.issuing import VcIssuing
from lapel.services.verifying import Report
from lapel.services.verifying.drafts import Drafts
from tests.support.databases import opened

NOW = datetime(2026, 6, 1, 12, 0, 0, 250_000, tzinfo=UTC)
BASE = "https://badges.example.org"


class Web:
    """The web as the fetcher sees it."""

    def __init__(self) -> None:
        self.pages: dict[str, Fetched] = {}
        self.asked: list[str] = []

    def publish(self, url: str, body: bytes, media_type: str) -> None:
        self.pages[url] = Fetched(url, media_type, body, 200, None)

    async def fetch(self, url: str, *, accept: str = "", max_bytes: int | None = None) -> Fetched:
        self.asked.append(url)
        if url not in self.pages:
            raise FetchNotFound("The server answered 404.", status=404)
        return self.pages[url]


def principal(role: Role = Role.OWNER, *, organisation_id: Any = DEFAULT_ORGANISATION_ID) -> Principal:
    return Principal(organisation_id, f"api-key:{uuid7_source()()}", role, scopes_of(role, organisation_id))


OWNER = principal()
MASTER_KEY = MasterKey(bytes(range(32)))


class Server:
    """Every service, and short ways to make what most tests need."""

    def __init__(
        self,
        database: Database,
        *,
        base: str = BASE,
        master_key: MasterKey = MASTER_KEY,
        holder: KeyHolder | None = None,
        beside: SigningProcess | None = None,
    ) -> None:
        self.database = database
        self.now = NOW
        self.web = Web()
        self.addresses = Addresses(base)
        self.new_id = uuid7_source()
        wired: dict[str, Any] = {"store": database, "clock": lambda: self.now, "new_id": self.new_id}
        addressed: dict[str, Any] = {"store": database, "addresses": self.addresses}
        self.key_ring = KeyRing(**wired, master_key=master_key, holder=holder)
        self.signing_keys = SigningKeys(store=database, clock=lambda: self.now, key_ring=self.key_ring, holder=holder)
        self.allocation = StatusAllocation(**wired)
        self.securing = Securing(
            key_ring=self.key_ring, addresses=self.addresses, clock=lambda: self.now, process=beside
        )
        self.images = Images(**wired, addresses=self.addresses, fetcher=self.web)
        self.verified: list[str] = []
        self.endorsements = Endorsements(verifier=lambda _: self._verify)
        publishing: dict[str, Any] = {
            **wired,
            "addresses": self.addresses,
            "images": self.images,
            "endorsements": self.endorsements,
        }
        self.issuers = Issuers(**publishing, key_ring=self.key_ring)
        self.achievements = Achievements(**publishing)
        self.recipients = RecipientLookUp(master_key)
        self.issue_keys = IssueKeys(master_key)
        means = IssuingMeans(
            **wired,
            addresses=self.addresses,
            securing=self.securing,
            allocation=self.allocation,
            recipients=self.recipients,
        )
        self.issuing = Issuing(means, randomness=os.urandom, endorsements=self.endorsements)
        self.vc_issuing = VcIssuing(
            means, issue_keys=self.issue_keys, drafts=Drafts(contexts=Contexts.bundled(), general_path=None)
        )
        self.batches = Batches(store=database, issuing=self.issuing)
        self.bulk_issuing = BulkIssuing(
            store=database, clock=lambda: self.now, issuing=self.issuing, issue_keys=self.issue_keys
        )
        self.idempotency = Idempotency(store=database, clock=lambda: self.now, master_key=master_key)
        self.endorsing = Endorsing(means)
        self.statuses = Statuses(**addressed, clock=lambda: self.now, securing=self.securing)
        self.replacing = Replacing(**addressed, clock=lambda: self.now, issuing=self.issuing)
        self.many_statuses = ManyStatuses(**addressed, clock=lambda: self.now)
        self.credentials = Credentials(store=database, recipients=self.recipients)
        self.renditions = Renditions(**addressed, images=self.images)
        self.signed_assertions = SignedAssertions(**addressed, key_ring=self.key_ring, renditions=self.renditions)
        self.api_keys = ApiKeys(**wired, randomness=os.urandom)
        self.audit_log = AuditLog(store=database, clock=lambda: self.now)
        self.erasing = Erasing(
            **wired, addresses=self.addresses, recipients=self.recipients, issue_keys=self.issue_keys
        )
        self.organisations = Organisations(**wired, api_keys=self.api_keys)

    async def _verify(self, given: str) -> Report:
        from tests.unit.services.site import verify  # it imports this module

        self.verified.append(given)
        return await verify(self, given)

    async def issuer(self, who: Principal = OWNER, **members: Any) -> Issuer:
        given = {"name": "School of Examples", "url": "https://school.example", "email": "office@school.example"}
        return await self.issuers.create(who, read(NewIssuer, given | members))

    async def achievement(self, who: Principal = OWNER, **members: Any) -> Achievement:
        given = {
            "name": "Knots",
            "description": "Ties ten knots.",
            "criteria": {"narrative": "Tie **ten** knots."},
        }
        return await self.achievements.create(who, read(NewAchievement, given | members))

    async def stranger(self, role: Role = Role.OWNER) -> Principal:
        """Somebody of another organisation."""
        other = Organisation(id=self.new_id(), name="Others", created_at=self.now)
        async with self.database.transaction() as tx:
            await tx.organisations.create(other)
        return principal(role, organisation_id=other.id)

    async def issue(self, who: Principal = OWNER, **members: Any) -> Credential:
        return await self.issuing.issue(who, award(**members))

    async def issue_many(self, requests: Sequence[NewCredential], who: Principal = OWNER) -> Sequence[Credential]:
        return await self.batches.issue(who, {f"/{number}": request for number, request in enumerate(requests)})

    async def badge(self, **members: Any) -> Credential:
        """An issuer, its achievement, and one credential."""
        await self.issuer()
        achievement = await self.achievement()
        return await self.issue(achievement=str(achievement.id), **members)


def award(**members: Any) -> NewCredential:
    given = {"recipient": {"type": "email", "identity": "ada@example.org"}}
    request: NewCredential = read(NewCredential, given | members)
    return request


def read(kind: Any, members: Any) -> Any:
    """The request that HTTP makes of a body."""
    return msgspec.json.decode(msgspec.json.encode(members), type=kind)


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Server]:
    async with opened("sqlite", DatabaseSettings(sqlite_file=":memory:")) as database:
        yield Server(database, **options)
