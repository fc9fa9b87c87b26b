"""Creates the repositories of a session."""

from __future__ import annotations

from typing import Generic, TypeVar

from lapel.database.caching import EntityCache
from lapel.database.metrics import DatabaseMetrics
from lapel.database.repositories.access import SqlApiKeyRepository, SqlOrganisationRepository
from lapel.database.repositories.achievements import SqlAchievementRepository
from lapel.database.repositories.audit_log import SqlAuditLogRepository
from lapel.database.repositories.base import BaseRepository, Recorder
from lapel.database.repositories.credentials import SqlCredentialRepository
from lapel.database.repositories.idempotent_requests import SqlIdempotentRequestRepository
from lapel.database.repositories.images import SqlImageRepository
from lapel.database.repositories.issuers import SqlIssuerRepository
from lapel.database.repositories.server_facts import SqlServerFactRepository
from lapel.database.repositories.signing_keys import SqlSigningKeyRepository
from lapel.database.repositories.status_lists import SqlStatusListRepository
from lapel.database.session import Session

__all__ = ["RepositoryFactory"]


Repository = TypeVar("Repository", bound=BaseRepository)


class _Lazy(Generic[Repository]):
    """A descriptor that creates a repository on first access, without the lock of `functools.cached_property`."""

    def __init__(self, kind: type[Repository]) -> None:
        self._kind = kind

    def __set_name__(self, owner: type[RepositoryFactory], name: str) -> None:
        self._name = name

    def __get__(self, factory: RepositoryFactory, owner: type[RepositoryFactory]) -> Repository:
        repository = self._kind(factory._repository_session, factory)
        setattr(factory, self._name, repository)  # `factory.__dict__` would create a dict for this alone
        return repository


class RepositoryFactory(Recorder):
    """The repositories of one session, each created on first access.

    Args:
        cache: the cache for reads; a `NullCache` inside a transaction, which must read the database itself.
    """

    organisations = _Lazy(SqlOrganisationRepository)
    issuers = _Lazy(SqlIssuerRepository)
    signing_keys = _Lazy(SqlSigningKeyRepository)
    achievements = _Lazy(SqlAchievementRepository)
    credentials = _Lazy(SqlCredentialRepository)
    status_lists = _Lazy(SqlStatusListRepository)
    images = _Lazy(SqlImageRepository)
    api_keys = _Lazy(SqlApiKeyRepository)
    audit_log = _Lazy(SqlAuditLogRepository)
    server_facts = _Lazy(SqlServerFactRepository)
    idempotent_requests = _Lazy(SqlIdempotentRequestRepository)

    def __init__(self, session: Session, *, metrics: DatabaseMetrics, cache: EntityCache) -> None:
        super().__init__(metrics, cache)
        self._repository_session = session
