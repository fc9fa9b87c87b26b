"""From a session to the repositories on it."""

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


class _Made(Generic[Repository]):
    """A repository, made when first asked for and then the object's own; `functools.cached_property` takes a lock."""

    def __init__(self, kind: type[Repository]) -> None:
        self._kind = kind

    def __set_name__(self, owner: type[RepositoryFactory], name: str) -> None:
        self._name = name

    def __get__(self, factory: RepositoryFactory, owner: type[RepositoryFactory]) -> Repository:
        made = self._kind(factory._repository_session, factory)
        setattr(factory, self._name, made)  # past `__dict__`, which would be made for this alone
        return made


class RepositoryFactory(Recorder):
    """The repositories on one session, each made when first asked for.

    Args:
        cache: where reads may be answered from; a `NullCache` inside a transaction, which sees the database itself.
    """

    organisations = _Made(SqlOrganisationRepository)
    issuers = _Made(SqlIssuerRepository)
    signing_keys = _Made(SqlSigningKeyRepository)
    achievements = _Made(SqlAchievementRepository)
    credentials = _Made(SqlCredentialRepository)
    status_lists = _Made(SqlStatusListRepository)
    images = _Made(SqlImageRepository)
    api_keys = _Made(SqlApiKeyRepository)
    audit_log = _Made(SqlAuditLogRepository)
    server_facts = _Made(SqlServerFactRepository)
    idempotent_requests = _Made(SqlIdempotentRequestRepository)

    def __init__(self, session: Session, *, metrics: DatabaseMetrics, cache: EntityCache) -> None:
        super().__init__(metrics, cache)
        self._repository_session = session
