"""API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import bind, equal, page_of, update
from lapel.database.statement import Statement
from lapel.database.tables import api_keys
from lapel.domain.access import ApiKey, Scope

__all__ = ["SqlApiKeyRepository"]

_mapper = Mapper(ApiKey, api_keys)
_FIND_BY_DIGEST = Statement(_mapper.select.where(equal(api_keys.c.digest)))
_PAGE = page_of(_mapper.select, api_keys.c.id, equal(api_keys.c.organisation_id))
_REVOKE = Statement(
    sa.update(api_keys)
    .where(equal(api_keys.c.id, "key"))
    .values(revoked_at=sa.func.coalesce(api_keys.c.revoked_at, bind(api_keys.c.revoked_at)))
    .returning(*_mapper.columns)
)
_SET_SCOPES = update(api_keys, ["scopes"], gives=_mapper.columns)
_ANY = Statement(sa.select(api_keys.c.id).limit(1))


class SqlApiKeyRepository(EntityRepository[ApiKey]):
    """`lapel.domain.ports.ApiKeyRepository`."""

    entity = "API key"
    table = api_keys
    mapper = _mapper

    async def create_if_absent(self, key: ApiKey) -> ApiKey:
        return await self._create_if_absent("api_keys.create_if_absent", key, partial(self.find_by_digest, key.digest))

    async def find_by_digest(self, digest: bytes) -> ApiKey | None:
        return await self._cached(digest, "api_keys.find_by_digest", _FIND_BY_DIGEST, digest=digest)

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> list[ApiKey]:
        return await self._page("api_keys.page", _PAGE, before=before, limit=limit, organisation_id=organisation_id)

    async def revoke(self, key_id: UUID, *, at: datetime) -> ApiKey:
        return await self._change("api_keys.revoke", _REVOKE, key_id, revoked_at=at)

    async def set_scopes(self, key_id: UUID, scopes: Sequence[Scope]) -> ApiKey:
        return await self._change("api_keys.set_scopes", _SET_SCOPES, key_id, scopes=list(scopes))

    async def _change(self, operation: str, statement: Statement, key_id: UUID, /, **values: object) -> ApiKey:
        key = self._present(await self._find(operation, statement, key=key_id, **values), key_id)
        self._changed(key.digest)
        return key

    async def any_exists(self) -> bool:
        return await self._one("api_keys.any_exists", _ANY) is not None
