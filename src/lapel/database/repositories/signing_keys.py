"""Signing keys."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import BaseRepository, bind
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.upsert import insert_unless_there
from lapel.database.statement import Statement
from lapel.database.tables import signing_keys
from lapel.domain.signing_key import KeyAlgorithm, SigningKey

__all__ = ["SqlSigningKeyRepository"]

_mapper = Mapper(SigningKey, signing_keys)
_select = sa.select(*_mapper.columns)

_CREATE_IF_NONE_ACTIVE = insert_unless_there(signing_keys)
_FIND = Statement(_select.where(signing_keys.c.id == bind(signing_keys.c.id)))
_FIND_ACTIVE = Statement(
    _select.where(
        signing_keys.c.issuer_id == bind(signing_keys.c.issuer_id),
        signing_keys.c.algorithm == bind(signing_keys.c.algorithm),
        signing_keys.c.state == sa.literal_column("'active'"),
    )
)
_OF_ISSUER = Statement(
    _select.where(signing_keys.c.issuer_id == bind(signing_keys.c.issuer_id)).order_by(signing_keys.c.id)
)


class SqlSigningKeyRepository(BaseRepository):
    """`lapel.domain.ports.SigningKeyRepository`."""

    entity = "signing key"

    async def create_if_none_active(self, key: SigningKey) -> SigningKey:
        inserted = await self._execute(
            "signing_keys.create_if_none_active", _CREATE_IF_NONE_ACTIVE, key.id, _mapper.values(key)
        )
        if inserted:
            return key
        found = await self.find_active(key.issuer_id, key.algorithm)
        if found is None:
            raise self._taken(key.id)
        return found

    async def find_active(self, issuer_id: UUID, algorithm: KeyAlgorithm) -> SigningKey | None:
        row = await self._one(
            "signing_keys.find_active", _FIND_ACTIVE, issuer_id, issuer_id=issuer_id, algorithm=algorithm
        )
        return _mapper.entity(row) if row else None

    async def find(self, key_id: UUID) -> SigningKey | None:
        row = await self._one("signing_keys.find", _FIND, key_id, id=key_id)
        return _mapper.entity(row) if row else None

    async def of_issuer(self, issuer_id: UUID) -> list[SigningKey]:
        return _mapper.entities(await self._all("signing_keys.of_issuer", _OF_ISSUER, issuer_id, issuer_id=issuer_id))
