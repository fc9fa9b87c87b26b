"""Read the audit log, and take old entries away."""

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

_PRUNED_AT_ONCE: Final = 1000


class AuditLog:
    """What was done in an organisation."""

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
        """The organisation's entries, newest first.

        Args:
            entity_id: only what was done to it; of a credential, the entry that tells who issued it is the last.
            since, until: entries of `since` are in, those of `until` are not.
        """
        principal.require(Scope.AUDIT_READ)
        first = None if since is None else first_id_at(since)
        if until is not None:
            before = min(first_id_at(until), before) if before is not None else first_id_at(until)
        found = await self._store.read().audit_log.page(
            principal.organisation_id,
            actor=actor,
            action=action,
            entity_id=entity_id,
            since=first,
            before=before,
            limit=limit + 1,
        )
        if entity_id is not None and len(found) <= limit:
            issued = await self._issued_in(principal, entity_id)
            if (
                issued is not None
                and actor in (None, issued.actor)
                and action in (None, issued.action)
                and (first is None or first <= issued.id)
                and (before is None or issued.id < before)
                and issued not in found
            ):
                found = [*found, issued]
        return page_of(found, limit=limit)

    async def prune(self, principal: Principal, *, before: datetime) -> int:
        """Take away what is older, for ever. How many entries that were. An entry that says so is written first.

        Raises:
            InvalidInput: `before` is in the future.
        """
        if before > self._clock():
            raise InvalidInput("Only entries of the past can be removed.", hint="Give an earlier time.")
        end = first_id_at(before)
        owner = principal.organisation_id

        async def begin(tx: Transaction) -> None:
            said: dict[str, str] = {"before": format_timestamp(before)}
            await record(tx, principal, Action.AUDIT_LOG_PRUNED, end, after=said)

        async def some(tx: Transaction) -> int:
            return await tx.audit_log.prune(owner, before=end, limit=_PRUNED_AT_ONCE)

        await self._store.run(begin)
        count = 0
        while taken := await self._store.run(some, idempotent=True):
            count += taken
        return count

    async def _issued_in(self, principal: Principal, credential_id: UUID) -> AuditEntry | None:
        """The entry that tells who issued that credential, if it is one, and the organisation's."""
        read = self._store.read()
        entry_id = await read.credentials.issued_in(credential_id)
        entry = None if entry_id is None else await read.audit_log.find(entry_id)
        return entry if entry is not None and entry.organisation_id == principal.organisation_id else None
