"""The audit log: entries are added and read, and taken away only where an entry says so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository, bind, equal, page_of
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import audit_log
from lapel.domain.audit import Action, AuditEntry
from lapel.errors import Conflict

__all__ = ["SqlAuditLogRepository"]

_mapper = Mapper(AuditEntry, audit_log)
_id = audit_log.c.id
_of_organisation = equal(audit_log.c.organisation_id)
_filters = (equal(audit_log.c.actor), equal(audit_log.c.action), equal(audit_log.c.entity_id))

_RECORD = insertion(audit_log)
_FIND = Statement(_mapper.select.where(equal(_id)))
_PAGES = {
    chosen: page_of(
        _mapper.select,
        _id,
        _of_organisation,
        *(one for one, wanted in zip(_filters, chosen, strict=True) if wanted),
        _id >= bind(_id, "since"),
    )
    for chosen in product((False, True), repeat=3)
}
_SAYS_PRUNED = Statement(
    sa.select(_id)
    .where(_of_organisation, equal(audit_log.c.action), audit_log.c.entity_id >= bind(_id, "before"))
    .limit(1)
)
_oldest = (
    sa.select(_id)
    .where(_of_organisation, _id < bind(_id, "before"), audit_log.c.action != Action.AUDIT_LOG_PRUNED.value)
    .order_by(_id)
    .limit(sa.bindparam("limit", type_=sa.Integer()))
)
_PRUNE = Statement(sa.delete(audit_log).where(_id.in_(_oldest)))


class SqlAuditLogRepository(EntityRepository[AuditEntry]):
    """`lapel.domain.ports.AuditLogRepository`."""

    entity = "audit log entry"
    mapper = _mapper

    async def record(self, entry: AuditEntry) -> None:
        await self._execute("audit_log.record", _RECORD, entry.id, _mapper.row(entry))

    async def record_many(self, entries: Sequence[AuditEntry]) -> None:
        if len(entries) == 1:  # for which a bulk would only cost more
            await self.record(entries[0])
        else:
            rows = [_mapper.row(entry) for entry in entries]
            await self._run("audit_log.record_many", None, self._session.bulk_insert, audit_log, rows)

    async def find(self, entry_id: UUID) -> AuditEntry | None:
        return await self._find("audit_log.find", _FIND, entry_id, id=entry_id)

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
    ) -> list[AuditEntry]:
        chosen = (actor is not None, action is not None, entity_id is not None)
        return await self._page(
            "audit_log.page",
            _PAGES[chosen],
            before=before,
            limit=limit,
            organisation_id=organisation_id,
            actor=actor,
            action=action,
            entity_id=entity_id,
            since=since or UUID(int=0),
        )

    async def prune(self, organisation_id: UUID, *, before: UUID, limit: int) -> int:
        given = {"organisation_id": organisation_id, "before": before, "limit": limit}
        says_so = {**given, "action": Action.AUDIT_LOG_PRUNED}
        if await self._one("audit_log.says_pruned", _SAYS_PRUNED, **says_so) is None:
            raise Conflict("No entry of the audit log says that it is pruned.")
        return await self._execute("audit_log.prune", _PRUNE, None, given)
