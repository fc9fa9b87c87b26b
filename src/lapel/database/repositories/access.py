"""Repositories of organisations and of API keys."""

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
from lapel.database.tables import api_keys, organisations
from lapel.domain.access import ApiKey, Scope
from lapel.domain.organisation import Organisation

__all__ = ["SqlApiKeyRepository", "SqlOrganisationRepository"]

_organisations = Mapper(Organisation, organisations)
_PAGE_OF_ALL = page_of(_organisations.select, organisations.c.id)
_RENAME = update(organisations, ["name"], gives=_organisations.columns)

_keys = Mapper(ApiKey, api_keys)
_FIND_BY_DIGEST = Statement(_keys.select.where(equal(api_keys.c.digest)))
_PAGE = page_of(_keys.select, api_keys.c.id, equal(api_keys.c.organisation_id))
_revoked_at = sa.func.coalesce(api_keys.c.revoked_at, bind(api_keys.c.revoked_at))
_REVOKE = update(api_keys, gives=_keys.columns, revoked_at=_revoked_at)
_SET_SCOPES = update(api_keys, ["scopes"], gives=_keys.columns)
_ANY = Statement(sa.select(api_keys.c.id).limit(1))


class SqlOrganisationRepository(EntityRepository[Organisation]):
    """`lapel.domain.ports.OrganisationRepository`."""

    entity = "organisation"
    mapper = _organisations

    async def page(self, *, before: UUID | None, limit: int) -> list[Organisation]:
        return await self._page("organisations.page", _PAGE_OF_ALL, before=before, limit=limit)

    async def rename(self, organisation_id: UUID, name: str) -> Organisation:
        organisation = await self._find("organisations.rename", _RENAME, key=organisation_id, name=name)
        return self._present(organisation, organisation_id)


class SqlApiKeyRepository(EntityRepository[ApiKey]):
    """`lapel.domain.ports.ApiKeyRepository`."""

    entity = "API key"
    mapper = _keys

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
        return bool(await self._rows("api_keys.any_exists", _ANY))
