"""The repository of requests with an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from lapel.database.repositories.base import EntityRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import bind, deletion, pruning
from lapel.database.statement import InsertIfAbsent, insertion
from lapel.database.tables import idempotent_requests
from lapel.domain.idempotency import DoneBefore, IdempotentRequest

__all__ = ["SqlIdempotentRequestRepository"]

_mapper = Mapper(IdempotentRequest, idempotent_requests)
_id, _created_at = idempotent_requests.c.id, idempotent_requests.c.created_at
_expired = _created_at < bind(_created_at, "before")

_CREATE = insertion(idempotent_requests, InsertIfAbsent)
_REMOVE = deletion(_id, _expired)
_PRUNE = pruning(_id, _created_at, _expired)


class SqlIdempotentRequestRepository(EntityRepository[IdempotentRequest]):
    """`lapel.domain.ports.IdempotentRequestRepository`."""

    entity = "idempotent request"
    mapper = _mapper
    at_once = 16

    async def create(self, request: IdempotentRequest) -> None:
        if not await self._execute("idempotent_requests.create", _CREATE, _mapper.row(request)):
            raise DoneBefore

    async def create_many(self, requests: Sequence[IdempotentRequest]) -> None:
        # In order, so that concurrent transactions do not deadlock.
        rows = [_mapper.row(request) for request in sorted(requests, key=lambda request: request.id)]
        await self._create_many("idempotent_requests.create_many", rows)

    async def remove(self, request_id: UUID, *, before: datetime) -> None:
        await self._execute("idempotent_requests.remove", _REMOVE, {"id": request_id, "before": before})

    async def remove_oldest(self, *, before: datetime, limit: int) -> int:
        return await self._execute("idempotent_requests.remove_oldest", _PRUNE, {"before": before, "limit": limit})
