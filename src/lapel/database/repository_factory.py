"""Creates the repositories of a session."""

from __future__ import annotations

from typing import Generic, TypeVar

from lapel.database.repositories.access import SqlApiKeyRepository, SqlOrganisationRepository
from lapel.database.repositories.achievements import SqlAchievementRepository
from lapel.database.repositories.audit_log import SqlAuditLogRepository
from lapel.database.repositories.base import BaseRepository, RepositoryContext
from lapel.database.repositories.credentials import SqlCredentialRepository
from lapel.database.repositories.idempotent_requests import SqlIdempotentRequestRepository
from lapel.database.repositories.images import SqlImageRepository
from lapel.database.repositories.issuers import SqlIssuerRepository
from lapel.database.repositories.server_facts import SqlServerFactRepository
from lapel.database.repositories.signing_keys import SqlSigningKeyRepository
from lapel.database.repositories.status_lists import SqlStatusListRepository

__all__ = ["RepositoryFactory"]

Repository = TypeVar("Repository", bound=BaseRepository)


class _Created(Generic[Repository]):
    """A descriptor that creates a repository.

    The factory does not keep it. Otherwise they would refer to each other, and a transaction would occupy memory until
    the garbage collector runs.
    """

    def __init__(self, kind: type[Repository]) -> None:
        self._kind = kind

    def __get__(self, factory: RepositoryFactory, owner: type[RepositoryFactory]) -> Repository:
        return self._kind(factory)


class RepositoryFactory(RepositoryContext):
    """The repositories of one session."""

    organisations = _Created(SqlOrganisationRepository)
    issuers = _Created(SqlIssuerRepository)
    signing_keys = _Created(SqlSigningKeyRepository)
    achievements = _Created(SqlAchievementRepository)
    credentials = _Created(SqlCredentialRepository)
    status_lists = _Created(SqlStatusListRepository)
    images = _Created(SqlImageRepository)
    api_keys = _Created(SqlApiKeyRepository)
    audit_log = _Created(SqlAuditLogRepository)
    server_facts = _Created(SqlServerFactRepository)
    idempotent_requests = _Created(SqlIdempotentRequestRepository)
