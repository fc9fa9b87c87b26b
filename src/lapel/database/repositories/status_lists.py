"""The repository of status lists, which only allocate positions. The bits are computed from the credentials."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.errors import InvalidValue, SerializationFailure
from lapel.database.repositories.base import EntityRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import bind, equal, update
from lapel.database.statement import Statement
from lapel.database.tables import issuers, status_lists
from lapel.domain.status_list import ReservedPositions, StatusList

__all__ = ["SqlStatusListRepository"]

_mapper = Mapper(StatusList, status_lists)
_id = status_lists.c.id
_allocated = status_lists.c.allocated
_has_room = _allocated < status_lists.c.length

_WITH_ROOM = Statement(
    # Not simply the newest: of two lists that are created concurrently, the older one may be stored last.
    _mapper.select.where(equal(status_lists.c.issuer_id), equal(status_lists.c.purpose), _has_room)
    .order_by(_id.desc())
    .limit(1)
)
_LOCK_ISSUER = Statement(
    # If the database can lock rows, reservations for one issuer run one after another, so that they do not deadlock or
    # create a new list each. FOR NO KEY UPDATE still lets others insert rows that refer to the issuer.
    sa.select(issuers.c.id).where(equal(issuers.c.id)).with_for_update(key_share=True)
)
# Compare and set: without row locks, the second of two reservations finds `allocated` changed and tries again.
_TAKE = update(status_lists, ["allocated"], equal(_allocated, "seen"), gives=_mapper.columns)

_CLOSE = update(status_lists, (), _has_room, key=_id < bind(_id, "before"), allocated=status_lists.c.length)


class SqlStatusListRepository(EntityRepository[StatusList]):
    """`lapel.domain.ports.StatusListRepository`."""

    entity = "status list"
    mapper = _mapper

    async def reserve(self, new: StatusList, *, count: int) -> ReservedPositions:
        if count < 1:
            raise InvalidValue(f"At least one position must be reserved, not {count}.")
        for _ in range(10):
            await self._rows("status_lists.lock", _LOCK_ISSUER, id=new.issuer_id)
            existing = await self._find(
                "status_lists.with_room", _WITH_ROOM, issuer_id=new.issuer_id, purpose=new.purpose
            )
            if existing is None:
                await self.create(new)
            current = existing or new
            first, available = current.allocated, min(count, current.length - current.allocated)
            values = {"key": current.id, "seen": first, "allocated": first + available}
            if (updated := await self._find("status_lists.reserve", _TAKE, **values)) is not None:
                return ReservedPositions(status_list=updated, first=first, count=available)
        raise SerializationFailure  # at a higher isolation level, the snapshot always shows the same list

    async def close(self, *, before: UUID) -> int:
        return await self._execute("status_lists.close", _CLOSE, {"before": before})
