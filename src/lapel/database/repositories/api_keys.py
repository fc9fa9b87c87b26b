"""API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository, bind, equal, page_of
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import InsertUnlessThere, Statement, insertion
from lapel.database.tables import api_keys
from lapel.domain.access import ApiKey, Scope

__all__ = ["SqlApiKeyRepository"]

_mapper = Mapper(ApiKey, api_keys)

_CREATE = insertion(api_keys)
_CREATE_IF_ABSENT = insertion(api_keys, InsertUnlessThere)
_FIND = Statement(_mapper.select.where(equal(api_keys.c.id)))
_FIND_BY_DIGEST = Statement(_mapper.select.where(equal(api_keys.c.digest)))
_PAGE = page_of(_mapper.select, api_keys.c.id, equal(api_keys.c.organisation_id))
_REVOKE = Statement(
    sa.update(api_keys)
    .where(equal(api_keys.c.id, "key"))
    .values(revoked_at=sa.func.coalesce(api_keys.c.revoked_at, bind(api_keys.c.revoked_at)))
    .returning(*_mapper.columns)
)
_SET_SCOPES = Statement(
    sa.update(api_keys)
    .where(equal(api_keys.c.id, "key"))
    .values(scopes=bind(api_keys.c.scopes))
    .returning(*_mapper.columns)
)
_ANY = Statement(sa.select(api_keys.c.id).limit(1))


class SqlApiKeyRepository(EntityRepository[ApiKey]):
    """`lapel.domain.ports.ApiKeyRepository`."""

    entity = "API key"
    mapper = _mapper

    async def create(self, key: ApiKey) -> None:
        await self._execute("api_keys.create", _CREATE, key.id, _mapper.row(key))

    async def create_if_absent(self, key: ApiKey) -> ApiKey:
        if await self._execute("api_keys.create_if_absent", _CREATE_IF_ABSENT, key.id, _mapper.row(key)):
            return key
        return self._first(await self.find_by_digest(key.digest), key.id)

    async def find(self, key_id: UUID) -> ApiKey | None:
        return await self._find("api_keys.find", _FIND, key_id, id=key_id)

    async def find_by_digest(self, digest: bytes) -> ApiKey | None:
        return await self._cached(digest, "api_keys.find_by_digest", _FIND_BY_DIGEST, digest=digest)

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> list[ApiKey]:
        return await self._page("api_keys.page", _PAGE, before=before, limit=limit, organisation_id=organisation_id)

    async def revoke(self, key_id: UUID, *, at: datetime) -> ApiKey:
        key = self._present(await self._find("api_keys.revoke", _REVOKE, key_id, key=key_id, revoked_at=at), key_id)
        self._changed(key.digest)
        return key

    async def set_scopes(self, key_id: UUID, scopes: Sequence[Scope]) -> ApiKey:
        found = await self._find("api_keys.set_scopes", _SET_SCOPES, key_id, key=key_id, scopes=list(scopes))
        key = self._present(found, key_id)
        self._changed(key.digest)
        return key

    async def any_exists(self) -> bool:
        return await self._one("api_keys.any_exists", _ANY) is not None
