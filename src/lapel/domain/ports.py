"""The ports through which services use storage, signing, fetching and time. Adapters implement these Protocols.

A `Store` opens transactions, and a transaction has the repositories. Every method may raise the errors of
`lapel.database.errors`, which are subclasses of those in `lapel.errors` (`NotFound`, `Conflict`, `Unavailable`).
A repository never commits; its transaction commits when it ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeVar

from lapel.domain.audit import AuditLogRepository
from lapel.domain.clock import Clock
from lapel.domain.fetching import Fetched, Fetcher
from lapel.domain.identifiers import IdSource
from lapel.domain.isolation import Isolation
from lapel.domain.repositories import (
    AchievementRepository,
    ApiKeyRepository,
    CredentialRepository,
    IdempotentRequestRepository,
    ImageRepository,
    IssuerRepository,
    OrganisationRepository,
    ServerFactRepository,
    SigningKeyRepository,
    StatusListRepository,
)
from lapel.domain.signers import KeyHolder, Signer

__all__ = [
    "AchievementRepository",
    "ApiKeyRepository",
    "AuditLogRepository",
    "Clock",
    "CredentialRepository",
    "ErasableCache",
    "Fetched",
    "Fetcher",
    "IdSource",
    "IdempotentRequestRepository",
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


class ErasableCache(Protocol):
    """A cache in memory that may hold data which has been erased from the database."""

    def forget(self) -> None:
        """Drop everything that is cached."""
        ...


class Repositories(Protocol):
    """The repositories, one for each aggregate, all on the same session."""

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
    @property
    def idempotent_requests(self) -> IdempotentRequestRepository: ...


class Transaction(Repositories, Protocol):
    """One transaction. It commits when its block ends normally, and rolls back if an exception leaves the block."""

    @property
    def id(self) -> str: ...
    @property
    def start_time(self) -> datetime: ...
    @property
    def operations(self) -> Sequence[str]: ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Open a nested transaction: an exception that leaves its block rolls back only the changes made inside."""
        ...

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have `call` run after the commit, and not at all after a rollback. It must neither fail nor block."""
        ...


class Store(Protocol):
    """The database as services see it."""

    @property
    def generation(self) -> int:
        """Grows when another database may have replaced this one, so that everything cached before is invalid."""
        ...

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        deadline: float | None = None,
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction. Its block must not await the network or anything else that is slow.

        Args:
            deadline: seconds for the whole transaction, including waiting for it; after that it is rolled back and
                `Unavailable` is raised.
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
        """Run `body` in a transaction and return its result, with a few retries after a conflict or a lost connection.

        Args:
            body: must have no effects outside its transaction, since it may run more than once.
            deadline: seconds for all attempts together.
            idempotent: whether running `body` twice has the same effect as once. Then it is also retried if the
                connection was lost during the commit, when the outcome is unknown.
        """
        ...

    async def scrub(self) -> None:
        """Overwrite remains of deleted values in the database's files, as far as possible; never fails."""
        ...

    async def make_durable(self) -> None:
        """Return when everything that can be read now is durable; a commit that was interrupted may not be yet.

        Raises:
            Unavailable: durability cannot be confirmed.
        """
        ...

    def read(self) -> Repositories:
        """Return repositories for reads outside a transaction: each statement on its own, possibly from the cache."""
        ...
