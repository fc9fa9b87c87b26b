"""Read the audit log, and remove old entries."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from lapel.domain.access import Principal, Scope
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.clock import format_timestamp
from lapel.domain.identifiers import first_id_at
from lapel.domain.ports import Clock, Store, Transaction
from lapel.errors import InvalidInput
from lapel.services.auditing.recording import record
from lapel.services.paging import DEFAULT_PAGE, Page, page_of

__all__ = ["AuditLog"]

_PRUNE_STEP: Final = 1000


class AuditLog:
    """Reads and prunes the audit log of an organisation."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def page(
        self,
        principal: Principal,
        *,
        actor: str | None = None,
        action: Action | None = None,
        entity_id: UUID | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: UUID | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Page[AuditEntry]:
        """Return a page of the organisation's entries, newest first.

        Args:
            entity_id: only entries about it; for a credential, the entry that records its issuing comes last.
            since, until: only entries from `since`, inclusive, to `until`, exclusive.
        """
        principal.require(Scope.AUDIT_READ)
        first = None if since is None else first_id_at(since)
        if until is not None:
            before = min(first_id_at(until), before) if before is not None else first_id_at(until)
        entries = await self._store.read().audit_log.page(
            principal.organisation_id,
            actor=actor,
            action=action,
            entity_id=entity_id,
            since=first,
            before=before,
            limit=limit + 1,
        )
        if entity_id is not None and len(entries) <= limit:
            issued = await self._issued_in(principal, entity_id)
            if (
                issued is not None
                and actor in (None, issued.actor)
                and action in (None, issued.action)
                and (first is None or first <= issued.id)
                and (before is None or issued.id < before)
                and issued not in entries
            ):
                entries = [*entries, issued]
        return page_of(entries, limit=limit)

    async def prune(self, principal: Principal, *, before: datetime) -> int:
        """Remove older entries for ever, and return how many. An entry that records the removal is written first.

        Raises:
            InvalidInput: `before` is in the future.
        """
        if before > self._clock():
            raise InvalidInput("Only entries of the past can be removed.", hint="Give an earlier time.")
        end = first_id_at(before)
        owner = principal.organisation_id

        async def begin(tx: Transaction) -> None:
            await record(tx, principal, Action.AUDIT_LOG_PRUNED, end, after={"before": format_timestamp(before)})

        async def step(tx: Transaction) -> int:
            return await tx.audit_log.prune(owner, before=end, limit=_PRUNE_STEP)

        await self._store.run(begin)
        count = 0
        while removed := await self._store.run(step, idempotent=True):
            count += removed
        return count

    async def _issued_in(self, principal: Principal, credential_id: UUID) -> AuditEntry | None:
        """Return the entry that records who issued the credential, if there is one in this organisation."""
        read = self._store.read()
        entry_id = await read.credentials.issued_in(credential_id)
        entry = None if entry_id is None else await read.audit_log.find(entry_id)
        return principal.own(entry)
