"""The audit log: who changed what, when, from where. Entries are written with the change itself, and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from msgspec import Struct, field

__all__ = ["Action", "AuditEntry", "AuditLogRepository"]


class Action(StrEnum):
    """What was done, as ``entity.done``. Names never change their meaning."""

    ISSUER_CREATED = "issuer.created"
    ISSUER_CHANGED = "issuer.changed"
    ISSUER_DELETED = "issuer.deleted"
    ACHIEVEMENT_CREATED = "achievement.created"
    ACHIEVEMENT_CHANGED = "achievement.changed"
    ACHIEVEMENT_DELETED = "achievement.deleted"
    IMAGE_ADDED = "image.added"
    SIGNING_KEY_CREATED = "signing_key.created"
    SIGNING_KEY_RETIRED = "signing_key.retired"
    SIGNING_KEY_COMPROMISED = "signing_key.compromised"
    SIGNING_KEY_EXPORTED = "signing_key.exported"
    MASTER_KEY_ROTATED = "master_key.rotated"
    CREDENTIAL_ISSUED = "credential.issued"
    CREDENTIAL_REVOKED = "credential.revoked"
    CREDENTIAL_SUSPENDED = "credential.suspended"
    CREDENTIAL_REINSTATED = "credential.reinstated"
    CREDENTIAL_REPLACED = "credential.replaced"
    CREDENTIAL_ERASED = "credential.erased"
    ORGANISATION_CREATED = "organisation.created"
    ORGANISATION_CHANGED = "organisation.changed"
    API_KEY_CREATED = "api_key.created"
    API_KEY_CHANGED = "api_key.changed"
    API_KEY_REVOKED = "api_key.revoked"
    DATABASE_RESTORED = "database.restored"
    AUDIT_LOG_PRUNED = "audit_log.pruned"


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One thing that somebody did.

    Attributes:
        id: entries of one process sort by it in the order in which they were made.
        at: the time in `id`.
        actor: as `lapel.domain.access.Principal.actor`.
        entity_id: to what; None where it was done to several at once, or to the server. Of an ``audit_log.pruned``,
            the id before which entries may be deleted.
        address: from where, where it came over HTTP.
        request_id: the ``X-Request-Id`` of its answer.
        details: what JSON can say: ``before`` and ``after``, the members that changed; ``issued``, credentials that
            were stored together, each as its id and its request's. Neither secrets nor anything of recipients.
    """

    id: UUID
    organisation_id: UUID
    at: datetime
    actor: str
    action: Action
    entity_id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)


class AuditLogRepository(Protocol):
    """The port to where entries are kept; see `lapel.domain.ports`."""

    async def record(self, entry: AuditEntry) -> None:
        """Add an entry. None is ever changed."""
        ...

    async def record_many(self, entries: Sequence[AuditEntry]) -> None:
        """Add these, together."""
        ...

    async def find(self, entry_id: UUID) -> AuditEntry | None: ...

    async def page(
        self,
        organisation_id: UUID,
        *,
        actor: str | None = None,
        action: Action | None = None,
        entity_id: UUID | None = None,
        since: UUID | None = None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[AuditEntry]:
        """Newest first; those whose id sorts before `before`, and not before `since`."""
        ...

    async def prune(self, organisation_id: UUID, *, before: UUID, limit: int) -> int:
        """Take away up to `limit` entries whose id sorts before `before`, the oldest first. How many that were.

        Raises:
            Conflict: no ``audit_log.pruned`` says so.
        """
        ...
