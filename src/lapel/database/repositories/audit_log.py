"""The repository of the audit log. Entries are only added, read, and pruned if an entry records the pruning."""

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
_records_pruning = (_of_organisation, equal(_action), audit_log.c.entity_id >= bind(_id, "before"))
_FIND_PRUNING = Statement(sa.select(_id).where(*_records_pruning).limit(1))
_is_prunable = (_of_organisation, _id < bind(_id, "before"), _action != Action.AUDIT_LOG_PRUNED.value)
_PRUNE = pruning(_id, _id, *_is_prunable)


@cache
def entries_page(*columns: str) -> Statement:
    """Return the statement for a page of the entries from ``since`` on, filtered by the values of these columns."""
    filters = [equal(audit_log.c.organisation_id, indexed="entity_id" not in columns)]
    filters += [equal(audit_log.c[name]) for name in columns]
    return page_of(_mapper.select, _id, *filters, _id >= bind(_id, "since"), scans=len(columns) > 1)


class SqlAuditLogRepository(EntityRepository[AuditEntry]):
    """`lapel.domain.ports.AuditLogRepository`."""

    entity = "audit log entry"
    mapper = _mapper

    async def record(self, entry: AuditEntry) -> None:
        await self._execute("audit_log.record", _RECORD, _mapper.row(entry))

    async def record_many(self, entries: Sequence[AuditEntry]) -> None:
        if len(entries) == 1:  # a bulk insert would only cost more
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
        optional = {"actor": actor, "action": action, "entity_id": entity_id}
        filters = {name: value for name, value in optional.items() if value is not None}
        page, required = entries_page(*filters), {"organisation_id": organisation_id, "since": since or NIL_ID}
        return await self._page("audit_log.page", page, before=before, limit=limit, **required, **filters)

    async def prune(self, organisation_id: UUID, *, before: UUID, limit: int) -> int:
        values = {"organisation_id": organisation_id, "before": before, "limit": limit}
        if not await self._rows("audit_log.says_pruned", _FIND_PRUNING, action=Action.AUDIT_LOG_PRUNED, **values):
            raise Conflict("No entry of the audit log says that it is pruned.")
        return await self._execute("audit_log.prune", _PRUNE, values)
