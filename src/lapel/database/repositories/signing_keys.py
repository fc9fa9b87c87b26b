"""Signing keys."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository, bind, equal, page_of
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import InsertUnlessThere, Statement, insertion
from lapel.database.tables import signing_keys
from lapel.domain.signing_key import KeyAlgorithm, SigningKey

__all__ = ["SqlSigningKeyRepository"]

_mapper = Mapper(SigningKey, signing_keys)
_of_issuer = _mapper.select.where(equal(signing_keys.c.issuer_id))

_CREATE_IF_NONE_ACTIVE = insertion(signing_keys, InsertUnlessThere)
_FIND = Statement(_mapper.select.where(equal(signing_keys.c.id)))
_is_active = signing_keys.c.state == sa.literal_column("'active'")
_FIND_ACTIVE = Statement(_of_issuer.where(equal(signing_keys.c.algorithm), _is_active))
_OF_ISSUER = Statement(_of_issuer.order_by(signing_keys.c.id))
_PAGE = page_of(_mapper.select, signing_keys.c.id)
_CHANGING = [signing_keys.c[name] for name in ("private_key_encrypted", "state", "retired_at", "compromised_at")]
_changed = {each: bind(each) for each in _CHANGING}
_UPDATE = Statement(sa.update(signing_keys).where(equal(signing_keys.c.id, "key")).values(_changed))


class SqlSigningKeyRepository(EntityRepository[SigningKey]):
    """`lapel.domain.ports.SigningKeyRepository`."""

    entity = "signing key"
    mapper = _mapper

    async def create_if_none_active(self, key: SigningKey) -> SigningKey:
        if await self._execute("signing_keys.create_if_none_active", _CREATE_IF_NONE_ACTIVE, key.id, _mapper.row(key)):
            return key
        return self._first(await self.find_active(key.issuer_id, key.algorithm), key.id)

    async def find_active(self, issuer_id: UUID, algorithm: KeyAlgorithm) -> SigningKey | None:
        return await self._find(
            "signing_keys.find_active", _FIND_ACTIVE, issuer_id, issuer_id=issuer_id, algorithm=algorithm
        )

    async def find(self, key_id: UUID) -> SigningKey | None:
        return await self._find("signing_keys.find", _FIND, key_id, id=key_id)

    async def of_issuer(self, issuer_id: UUID) -> list[SigningKey]:
        return await self._find_all("signing_keys.of_issuer", _OF_ISSUER, issuer_id, issuer_id=issuer_id)

    async def page(self, *, before: UUID | None, limit: int) -> list[SigningKey]:
        return await self._page("signing_keys.page", _PAGE, before=before, limit=limit)

    async def update(self, key: SigningKey) -> None:
        values = {column.key: getattr(key, column.key) for column in _CHANGING}
        if not await self._execute("signing_keys.update", _UPDATE, key.id, {"key": key.id, **values}):
            self._present(None, key.id)
