"""What services ask of the outside: storage, signing, fetching, time. Adapters implement these Protocols.

Storage: a `Store` opens transactions; on one stand the repositories. Every method may raise the errors of
`lapel.database.errors`, which are also the root errors of `lapel.errors` (`NotFound`, `Conflict`, `Unavailable`).
A repository never commits: the transaction's end does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from lapel.domain.access import ApiKey
from lapel.domain.achievement import Achievement
from lapel.domain.audit import AuditLogRepository
from lapel.domain.clock import Clock
from lapel.domain.credential import Credential, StatusChange, Withdrawn
from lapel.domain.fetching import Fetched, Fetcher
from lapel.domain.identifiers import IdSource
from lapel.domain.image import Image
from lapel.domain.issuer import Issuer
from lapel.domain.organisation import Organisation
from lapel.domain.signing_key import KeyAlgorithm, SigningKey
from lapel.domain.status_list import ReservedPositions, StatusList

__all__ = [
    "AchievementRepository",
    "ApiKeyRepository",
    "AuditLogRepository",
    "Clock",
    "CredentialRepository",
    "Fetched",
    "Fetcher",
    "IdSource",
    "ImageRepository",
    "Isolation",
    "IssuerRepository",
    "KeyHolder",
    "OrganisationRepository",
    "Repositories",
    "ServerFactRepository",
    "Signer",
    "SigningKeyRepository",
    "StatusListRepository",
    "Store",
    "Transaction",
]


Result = TypeVar("Result")


class Isolation(StrEnum):
    """Isolation levels (SQL:2023). A database may give more than was asked, never less."""

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"


class OrganisationRepository(Protocol):
    async def create(self, organisation: Organisation) -> None: ...
    async def find(self, organisation_id: UUID) -> Organisation | None: ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Organisation]:
        """Newest first; those whose id sorts before `before`."""
        ...

    async def rename(self, organisation_id: UUID, name: str) -> Organisation:
        """The organisation under its new name. Raises NotFound."""
        ...


class IssuerRepository(Protocol):
    async def create(self, issuer: Issuer) -> None: ...

    async def find(self, issuer_id: UUID) -> Issuer | None: ...

    async def get(self, issuer_id: UUID) -> Issuer:
        """Raises NotFound."""
        ...

    async def find_by_did(self, did: str) -> Issuer | None: ...

    async def default(self) -> Issuer | None:
        """The oldest issuer of the default organisation: whom ``/.well-known/did.json`` speaks of."""
        ...

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Issuer]:
        """Newest first; those whose id sorts before `before`."""
        ...

    async def update(self, issuer: Issuer, *, expected_version: int) -> None:
        """Store `issuer` over the version `expected_version`. Raises PreconditionFailed if that is not the newest."""
        ...


class SigningKeyRepository(Protocol):
    async def create_if_none_active(self, key: SigningKey) -> SigningKey:
        """The issuer's active key of that algorithm: `key`, now stored, or the one that was there first."""
        ...

    async def find_active(self, issuer_id: UUID, algorithm: KeyAlgorithm) -> SigningKey | None: ...

    async def find(self, key_id: UUID) -> SigningKey | None: ...

    async def of_issuer(self, issuer_id: UUID) -> Sequence[SigningKey]:
        """Every key the issuer ever had, oldest first."""
        ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[SigningKey]:
        """The keys of all organisations, newest first; those whose id sorts before `before`."""
        ...

    async def update(self, key: SigningKey) -> None:
        """Store the key's state, times and encrypted private half. Raises NotFound."""
        ...


class AchievementRepository(Protocol):
    async def create(self, achievement: Achievement) -> None: ...

    async def find(self, achievement_id: UUID, *, version: int | None = None) -> Achievement | None:
        """The newest version, or that one."""
        ...

    async def get(self, achievement_id: UUID, *, version: int | None = None) -> Achievement:
        """Raises NotFound."""
        ...

    async def page(
        self, organisation_id: UUID, *, issuer_id: UUID | None = None, before: UUID | None, limit: int
    ) -> Sequence[Achievement]:
        """Newest first; those whose id sorts before `before`; of one issuer if `issuer_id` is given."""
        ...

    async def page_of_issuer(self, issuer_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Achievement]: ...

    async def update(self, achievement: Achievement, *, expected_version: int) -> None:
        """Store a new version. Raises PreconditionFailed if `expected_version` is not the newest."""
        ...


class CredentialRepository(Protocol):
    async def create(self, credential: Credential, *, issued_in: UUID | None = None) -> None:
        """Store it; `issued_in` is the entry of the audit log that tells who issued it."""
        ...

    async def create_many(self, credentials: Sequence[Credential], *, issued_in: UUID | None = None) -> None: ...

    async def find(self, credential_id: UUID) -> Credential | None:
        """The credential; of an erased one, what is left of it."""
        ...

    async def get(self, credential_id: UUID) -> Credential:
        """Raises NotFound, and CredentialErased."""
        ...

    async def issued_in(self, credential_id: UUID) -> UUID | None:
        """The entry of the audit log that tells who issued it, if that is known."""
        ...

    async def ids_of_recipient(self, organisation_id: UUID, recipient_lookup: bytes, *, limit: int) -> Sequence[UUID]:
        """Some of the organisation's credentials of that recipient, which none has once it is erased."""
        ...

    async def erase(self, credential_id: UUID, *, at: datetime) -> Credential | None:
        """Take away everything of its recipient, and revoke it; its status list's version grows.

        Returns:
            What is left; None where there is no such credential, or it has been erased before.
        """
        ...

    async def with_issue_keys(self, keys: Sequence[bytes]) -> Sequence[Credential]:
        """Those that were issued under one of these keys, in no order; a key that has none is passed over."""
        ...

    async def page(
        self,
        organisation_id: UUID,
        *,
        issuer_id: UUID | None = None,
        achievement_id: UUID | None = None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Credential]:
        """Newest first; `signed` is included."""
        ...

    async def change_status(self, change: StatusChange) -> Credential:
        """Set the status; its list's version grows in the same transaction. The credential as it now is.

        Raises:
            NotFound: there is no such credential.
            Conflict: it is revoked already, and `change` would make it anything else.
        """
        ...

    def set_indices(self, status_list_id: UUID, *, status: str) -> AsyncIterator[int]:
        """The indices in that list of the credentials with that status, in order, in bounded memory."""
        ...

    async def withdrawn(self, issuer_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Withdrawn]:
        """What the issuer has revoked, or has suspended now; newest first, those whose id sorts before `before`."""
        ...

    def stream(self, organisation_id: UUID) -> AsyncIterator[Credential]:
        """Every credential of the organisation, oldest first, in bounded memory."""
        ...


class StatusListRepository(Protocol):
    async def find(self, list_id: UUID) -> StatusList | None: ...

    async def reserve(self, new: StatusList, *, count: int) -> ReservedPositions:
        """Reserve up to `count` positions in the newest list of `new`'s issuer and purpose that has room.

        `new` is stored as the next shard if none has room. Positions are never given twice; those that are not used
        are lost.
        """
        ...


class ImageRepository(Protocol):
    async def create_if_absent(self, image: Image) -> Image:
        """The organisation's image with that content: `image`, now stored, or the one that was there first."""
        ...

    async def find(self, image_id: UUID) -> Image | None: ...

    async def get(self, image_id: UUID) -> Image:
        """Raises NotFound."""
        ...


class ApiKeyRepository(Protocol):
    async def create(self, key: ApiKey) -> None: ...

    async def create_if_absent(self, key: ApiKey) -> ApiKey:
        """The key with that digest: `key`, now stored, or the one that was there first."""
        ...

    async def find(self, key_id: UUID) -> ApiKey | None: ...

    async def find_by_digest(self, digest: bytes) -> ApiKey | None: ...

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> Sequence[ApiKey]: ...

    async def revoke(self, key_id: UUID, *, at: datetime) -> ApiKey:
        """Raises NotFound."""
        ...

    async def any_exists(self) -> bool: ...


class ServerFactRepository(Protocol):
    """Small facts about this installation, such as the master key's check value."""

    async def find(self, name: str) -> bytes | None: ...

    async def recent(self, name: str) -> bytes | None:
        """The fact's value, as late as the cache may be: a second after another process has changed it."""
        ...

    async def put_if_absent(self, name: str, value: bytes) -> bytes:
        """The fact's value: `value`, now stored, or what was there first."""
        ...

    async def replace(self, name: str, value: bytes) -> None:
        """Store `value` over the fact's old one. Raises NotFound."""
        ...


class Repositories(Protocol):
    """One repository per aggregate, all on the same session."""

    @property
    def organisations(self) -> OrganisationRepository: ...
    @property
    def issuers(self) -> IssuerRepository: ...
    @property
    def signing_keys(self) -> SigningKeyRepository: ...
    @property
    def achievements(self) -> AchievementRepository: ...
    @property
    def credentials(self) -> CredentialRepository: ...
    @property
    def status_lists(self) -> StatusListRepository: ...
    @property
    def images(self) -> ImageRepository: ...
    @property
    def api_keys(self) -> ApiKeyRepository: ...
    @property
    def audit_log(self) -> AuditLogRepository: ...
    @property
    def server_facts(self) -> ServerFactRepository: ...


class Transaction(Repositories, Protocol):
    """One transaction. It commits when its block ends well and rolls back when it does not."""

    @property
    def id(self) -> str: ...
    @property
    def start_time(self) -> datetime: ...
    @property
    def operations(self) -> Sequence[str]: ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """A nested transaction: an error that leaves its block undoes only what was done inside."""
        ...


class Store(Protocol):
    """The database as services see it."""

    @property
    def generation(self) -> int:
        """Grows when another database may have taken this one's place: nothing remembered of the old one holds."""
        ...

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        deadline: float | None = None,
    ) -> AbstractAsyncContextManager[Transaction]:
        """A transaction. No network and no other slow await may stand inside its block.

        Args:
            deadline: seconds for all of it, waiting included; then it is rolled back and `Unavailable` is raised.
        """
        ...

    async def run(
        self,
        body: Callable[[Transaction], Awaitable[Result]],
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        deadline: float | None = None,
        idempotent: bool = False,
    ) -> Result:
        """What `body` answers, run in a transaction; run anew, a few times, where it lost a race or its connection.

        Args:
            body: without effects outside its transaction, since it may run more than once.
            deadline: seconds for all attempts together.
            idempotent: doing it twice is the same as doing it once, so that it is run again too where the connection
                was lost during the commit and nobody knows whether it happened.
        """
        ...

    async def scrub(self) -> None:
        """Overwrite what the database still holds of values that were deleted, as far as it can; never fails."""
        ...

    def read(self) -> Repositories:
        """Repositories for reads outside a transaction, each statement on its own, possibly answered by the cache."""
        ...


class Signer(Protocol):
    """Whoever signs with one private key: this process, another one, a KMS.

    Slow or away it may be: `Unavailable` is raised in bounded time. Never call it inside a transaction.
    """

    @property
    def algorithm(self) -> KeyAlgorithm: ...

    async def sign(self, data: bytes) -> bytes:
        """Sign `data`: 64 bytes for Ed25519 (RFC 8032), r‖s for P-256 (RFC 7518, 3.4), PKCS #1 v1.5 for RSA."""
        ...


class KeyHolder(Protocol):
    """Whoever holds private keys outside of this process, and never hands one out. Raises `Unavailable` as a Signer."""

    async def create(self, algorithm: KeyAlgorithm) -> bytes:
        """The public half (SubjectPublicKeyInfo, DER) of a new key that it holds from now on."""
        ...

    def signer(self, public_key: bytes) -> Signer:
        """Who signs with the key of that public half; whether it is held there shows when it signs."""
        ...
