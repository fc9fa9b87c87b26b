"""From a session to the repositories on it."""

from __future__ import annotations

from functools import cached_property

from lapel.database.caching import EntityCache
from lapel.database.metrics import DatabaseMetrics
from lapel.database.repositories.achievements import SqlAchievementRepository
from lapel.database.repositories.api_keys import SqlApiKeyRepository
from lapel.database.repositories.base import Recorder
from lapel.database.repositories.credentials import SqlCredentialRepository
from lapel.database.repositories.images import SqlImageRepository
from lapel.database.repositories.issuers import SqlIssuerRepository
from lapel.database.repositories.organisations import SqlOrganisationRepository
from lapel.database.repositories.server_facts import SqlServerFactRepository
from lapel.database.repositories.signing_keys import SqlSigningKeyRepository
from lapel.database.repositories.status_lists import SqlStatusListRepository
from lapel.database.session import Session

__all__ = ["RepositoryFactory"]


class RepositoryFactory:
    """The repositories on one session, each made when first asked for.

    Args:
        cache: where reads may be answered from; a `NullCache` inside a transaction, which sees the database itself.
    """

    def __init__(self, session: Session, *, metrics: DatabaseMetrics, cache: EntityCache) -> None:
        self._recorder = Recorder(metrics, cache)
        self._repository_session = session

    @property
    def attempt(self) -> int:
        """Which attempt at its work this is, for the context of errors: 1 at first."""
        return self._recorder.attempt

    @attempt.setter
    def attempt(self, number: int) -> None:
        self._recorder.attempt = number

    @property
    def operations(self) -> list[str]:
        """What ran so far, as ``aggregate.verb``; kept inside a transaction only."""
        return self._recorder.operations

    @cached_property
    def organisations(self) -> SqlOrganisationRepository:
        return SqlOrganisationRepository(self._repository_session, self._recorder)

    @cached_property
    def issuers(self) -> SqlIssuerRepository:
        return SqlIssuerRepository(self._repository_session, self._recorder)

    @cached_property
    def signing_keys(self) -> SqlSigningKeyRepository:
        return SqlSigningKeyRepository(self._repository_session, self._recorder)

    @cached_property
    def achievements(self) -> SqlAchievementRepository:
        return SqlAchievementRepository(self._repository_session, self._recorder)

    @cached_property
    def credentials(self) -> SqlCredentialRepository:
        return SqlCredentialRepository(self._repository_session, self._recorder)

    @cached_property
    def status_lists(self) -> SqlStatusListRepository:
        return SqlStatusListRepository(self._repository_session, self._recorder)

    @cached_property
    def images(self) -> SqlImageRepository:
        return SqlImageRepository(self._repository_session, self._recorder)

    @cached_property
    def api_keys(self) -> SqlApiKeyRepository:
        return SqlApiKeyRepository(self._repository_session, self._recorder)

    @cached_property
    def server_facts(self) -> SqlServerFactRepository:
        return SqlServerFactRepository(self._repository_session, self._recorder)
