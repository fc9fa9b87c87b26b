"""The repository of signing keys."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import equal, page_of, update
from lapel.database.statement import Statement
from lapel.database.tables import signing_keys
from lapel.domain.signing_key import KeyAlgorithm, SigningKey

__all__ = ["SqlSigningKeyRepository"]

_mapper = Mapper(SigningKey, signing_keys)
_of_issuer = _mapper.select.where(equal(signing_keys.c.issuer_id))
_is_active = signing_keys.c.state == sa.literal_column("'active'")
_FIND_ACTIVE = Statement(_of_issuer.where(equal(signing_keys.c.algorithm), _is_active))
_OF_ISSUER = Statement(_of_issuer.order_by(signing_keys.c.id))
_PAGE = page_of(_mapper.select, signing_keys.c.id)
_NEWEST = page_of(_mapper.select, signing_keys.c.id, equal(signing_keys.c.organisation_id))
_UPDATE = update(signing_keys, ("private_key_encrypted", "state", "retired_at", "compromised_at"))


class SqlSigningKeyRepository(EntityRepository[SigningKey]):
    """`lapel.domain.ports.SigningKeyRepository`."""

    entity = "signing key"
    mapper = _mapper

    async def create_if_none_active(self, key: SigningKey) -> SigningKey:
        find = partial(self.find_active, key.issuer_id, key.algorithm)
        return await self._create_if_absent("signing_keys.create_if_none_active", key, find)

    async def find_active(self, issuer_id: UUID, algorithm: KeyAlgorithm) -> SigningKey | None:
        return await self._find("signing_keys.find_active", _FIND_ACTIVE, issuer_id=issuer_id, algorithm=algorithm)

    async def of_issuer(self, issuer_id: UUID) -> list[SigningKey]:
        return await self._find_all("signing_keys.of_issuer", _OF_ISSUER, issuer_id=issuer_id)

    async def page(self, *, before: UUID | None, limit: int) -> list[SigningKey]:
        return await self._page("signing_keys.page", _PAGE, before=before, limit=limit)

    async def newest(self, organisation_id: UUID, *, limit: int) -> list[SigningKey]:
        return await self._page("signing_keys.newest", _NEWEST, limit=limit, organisation_id=organisation_id)

    async def update(self, key: SigningKey) -> None:
        if not await self._execute("signing_keys.update", _UPDATE, {**_mapper.values(key), "key": key.id}):
            self._present(None, key.id)
