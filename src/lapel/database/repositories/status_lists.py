"""Status lists: rows that hand out positions. Bits are computed from the credentials."""

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

_WITH_ROOM = Statement(
    # Not simply the newest: of two that wait for their turn with a new list each, the older list may be stored last.
    _mapper.select.where(
        equal(status_lists.c.issuer_id), equal(status_lists.c.purpose), _allocated < status_lists.c.length
    )
    .order_by(_id.desc())
    .limit(1)
)
_LOCK_ISSUER = Statement(
    # Taken first, where rows can be locked: whoever reserves for one issuer does so in turn, so that two who find no
    # room do not both make a shard, and none waits for another in a circle. Rows may still refer to the issuer.
    sa.select(issuers.c.id).where(equal(issuers.c.id)).with_for_update(key_share=True)
)
# Compare and set: where rows cannot be locked, whoever comes second finds `allocated` moved and tries again.
_TAKE = update(status_lists, ["allocated"], equal(_allocated, "seen"), gives=_mapper.columns)

_CLOSE = Statement(
    sa.update(status_lists)
    .where(_id < bind(_id, "before"), _allocated < status_lists.c.length)
    .values(allocated=status_lists.c.length)
)


class SqlStatusListRepository(EntityRepository[StatusList]):
    """`lapel.domain.ports.StatusListRepository`."""

    entity = "status list"
    mapper = _mapper

    async def reserve(self, new: StatusList, *, count: int) -> ReservedPositions:
        if count < 1:
            raise InvalidValue(f"At least one position must be reserved, not {count}.")
        for _ in range(10):
            await self._rows("status_lists.lock", _LOCK_ISSUER, id=new.issuer_id)
            found = await self._find("status_lists.with_room", _WITH_ROOM, issuer_id=new.issuer_id, purpose=new.purpose)
            if found is None:
                await self.create(new)
            seen = found or new
            first, some = seen.allocated, min(count, seen.length - seen.allocated)
            given = {"key": seen.id, "seen": first, "allocated": first + some}
            taken = await self._find("status_lists.reserve", _TAKE, **given)
            if taken is not None:
                return ReservedPositions(status_list=taken, first=first, count=some)
        raise SerializationFailure  # a snapshot that does not move shows the same list for ever

    async def close(self, *, before: UUID) -> int:
        return await self._execute("status_lists.close", _CLOSE, {"before": before})
