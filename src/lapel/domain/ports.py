"""What services ask of the outside: storage, signing, fetching, time. Adapters implement these Protocols.

Storage: a `Store` opens transactions; on one stand the repositories. Every method may raise the errors of
`lapel.database.errors`, which are also the root errors of `lapel.errors` (`NotFound`, `Conflict`, `Unavailable`).
A repository never commits: the transaction's end does.
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
    "Fetched",
    "Fetcher",
    "Forgetful",
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


class Forgetful(Protocol):
    """Keeps in memory what may have been erased."""

    def forget(self) -> None:
        """Keep nothing of what there is."""
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
    @property
    def idempotent_requests(self) -> IdempotentRequestRepository: ...


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

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this once it is committed, and never if it is not. It must not fail, nor wait."""
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

    async def make_durable(self) -> None:
        """Return when all that can be read now is as safe as what was acknowledged: a commit that was cut may not be.

        Raises:
            Unavailable: that cannot be told.
        """
        ...

    def read(self) -> Repositories:
        """Repositories for reads outside a transaction, each statement on its own, possibly answered by the cache."""
        ...
