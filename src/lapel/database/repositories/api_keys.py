"""API keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import BaseRepository, before_or_last, bind
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.upsert import insert_unless_there
from lapel.database.statement import Statement, insertion
from lapel.database.tables import api_keys
from lapel.domain.access import ApiKey

__all__ = ["SqlApiKeyRepository"]

_mapper = Mapper(ApiKey, api_keys)
_select = sa.select(*_mapper.columns)

_CREATE = insertion(api_keys)
_CREATE_IF_ABSENT = insert_unless_there(api_keys)
_FIND_BY_DIGEST = Statement(_select.where(api_keys.c.digest == bind(api_keys.c.digest)))
_PAGE = Statement(
    _select.where(
        api_keys.c.organisation_id == bind(api_keys.c.organisation_id),
        api_keys.c.id < bind(api_keys.c.id, "before"),
    )
    .order_by(api_keys.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer()))
)
_REVOKE = Statement(
    sa.update(api_keys)
    .where(api_keys.c.id == bind(api_keys.c.id, "key"))
    .values(revoked_at=sa.func.coalesce(api_keys.c.revoked_at, bind(api_keys.c.revoked_at)))
    .returning(*_mapper.columns)
)
_ANY = Statement(sa.select(api_keys.c.id).limit(1))


class SqlApiKeyRepository(BaseRepository):
    """`lapel.domain.ports.ApiKeyRepository`."""

    entity = "API key"

    async def create(self, key: ApiKey) -> None:
        await self._execute("api_keys.create", _CREATE, key.id, _mapper.values(key))

    async def create_if_absent(self, key: ApiKey) -> ApiKey:
        if await self._execute("api_keys.create_if_absent", _CREATE_IF_ABSENT, key.id, _mapper.values(key)):
            return key
        found = await self.find_by_digest(key.digest)
        if found is None:
            raise self._taken(key.id)
        return found

    async def find_by_digest(self, digest: bytes) -> ApiKey | None:
        row = await self._one("api_keys.find_by_digest", _FIND_BY_DIGEST, digest=digest)
        return _mapper.entity(row) if row else None

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> list[ApiKey]:
        rows = await self._all(
            "api_keys.page",
            _PAGE,
            organisation_id=organisation_id,
            before=before_or_last(before),
            limit=limit,
        )
        return _mapper.entities(rows)

    async def revoke(self, key_id: UUID, *, at: datetime) -> ApiKey:
        row = await self._one("api_keys.revoke", _REVOKE, key_id, key=key_id, revoked_at=at)
        if row is None:
            raise self._missing(key_id)
        key = _mapper.entity(row)
        self._recorder.changed.append(("api key", key.digest))
        return key

    async def any_exists(self) -> bool:
        return await self._one("api_keys.any_exists", _ANY) is not None
