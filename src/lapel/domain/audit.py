"""The audit log: who changed what, when and from where.

An entry is written in the same transaction as the change, and never modified.
"""

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
    """One action by one actor.

    Attributes:
        id: entries of one process sort by id in the order in which they were recorded.
        at: the time in `id`.
        actor: as `lapel.domain.access.Principal.actor`.
        entity_id: the entity acted on; None for several at once, or for the server itself. For ``audit_log.pruned``,
            the id before which entries may be deleted.
        address: the client's address if the request came over HTTP.
        request_id: the ``X-Request-Id`` of the response.
        details: JSON values: ``before`` and ``after``, the members that changed; ``issued``, credentials that were
            stored together, each as its id and its request's id. Never secrets or recipients' data.
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
    """The port to the stored entries; see `lapel.domain.ports`."""

    async def record(self, entry: AuditEntry) -> None:
        """Add an entry."""
        ...

    async def record_many(self, entries: Sequence[AuditEntry]) -> None:
        """Add several entries together."""
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
        """Return a page of entries, newest first, whose ids sort before `before` and not before `since`."""
        ...

    async def prune(self, organisation_id: UUID, *, before: UUID, limit: int) -> int:
        """Delete up to `limit` entries whose ids sort before `before`, oldest first, and return their number.

        Raises:
            Conflict: no ``audit_log.pruned`` entry permits it.
        """
        ...
