"""The audit log: entries are added and read, and taken away only where an entry says so."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import bind, equal, page_of, pruning
from lapel.database.statement import Statement, insertion
from lapel.database.tables import audit_log
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.identifiers import NIL_ID
from lapel.errors import Conflict

__all__ = ["SqlAuditLogRepository"]

_mapper = Mapper(AuditEntry, audit_log)
_id, _action = audit_log.c.id, audit_log.c.action
_of_organisation = equal(audit_log.c.organisation_id)

_RECORD = insertion(audit_log)
_says_pruned = (_of_organisation, equal(_action), audit_log.c.entity_id >= bind(_id, "before"))
_SAYS_PRUNED = Statement(sa.select(_id).where(*_says_pruned).limit(1))
_may_go = (_of_organisation, _id < bind(_id, "before"), _action != Action.AUDIT_LOG_PRUNED.value)
_PRUNE = pruning(_id, _id, *_may_go)


@cache
def entries_page(*given: str) -> Statement:
    """A page of the entries back to ``since`` that have what is given in the columns of these names."""
    filters = [equal(audit_log.c[name]) for name in given]
    return page_of(_mapper.select, _id, _of_organisation, *filters, _id >= bind(_id, "since"))


class SqlAuditLogRepository(EntityRepository[AuditEntry]):
    """`lapel.domain.ports.AuditLogRepository`."""

    entity = "audit log entry"
    mapper = _mapper

    async def record(self, entry: AuditEntry) -> None:
        await self._execute("audit_log.record", _RECORD, _mapper.row(entry))

    async def record_many(self, entries: Sequence[AuditEntry]) -> None:
        if len(entries) == 1:  # for which a bulk would only cost more
            await self.record(entries[0])
        else:
            await self._create_many("audit_log.record_many", [_mapper.row(entry) for entry in entries])

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
        wanted = {"actor": actor, "action": action, "entity_id": entity_id}
        given = {name: value for name, value in wanted.items() if value is not None}
        page, back_to = entries_page(*given), {"organisation_id": organisation_id, "since": since or NIL_ID}
        return await self._page("audit_log.page", page, before=before, limit=limit, **back_to, **given)

    async def prune(self, organisation_id: UUID, *, before: UUID, limit: int) -> int:
        given = {"organisation_id": organisation_id, "before": before, "limit": limit}
        says_so = {**given, "action": Action.AUDIT_LOG_PRUNED}
        if not await self._rows("audit_log.says_pruned", _SAYS_PRUNED, **says_so):
            raise Conflict("No entry of the audit log says that it is pruned.")
        return await self._execute("audit_log.prune", _PRUNE, given)
