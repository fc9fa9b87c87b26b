"""Issuers."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import BaseRepository, before_or_last, bind
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import issuers
from lapel.domain.issuer import Issuer
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.text import fold
from lapel.errors import PreconditionFailed

__all__ = ["SqlIssuerRepository"]

_mapper = Mapper(Issuer, issuers, derived={"name_folded": lambda issuer: fold(issuer.name)})
_select = sa.select(*_mapper.columns)
_of_organisation = issuers.c.organisation_id == bind(issuers.c.organisation_id)

_CREATE = insertion(issuers)
_FIND = Statement(_select.where(issuers.c.id == bind(issuers.c.id)))
_FIND_BY_DID = Statement(_select.where(issuers.c.did == bind(issuers.c.did)))
_OLDEST = Statement(_select.where(_of_organisation).order_by(issuers.c.id).limit(1))
_PAGE = Statement(
    _select.where(_of_organisation, issuers.c.id < bind(issuers.c.id, "before"))
    .order_by(issuers.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.Integer()))
)
_UPDATE = Statement(
    sa.update(issuers)
    .where(
        issuers.c.id == bind(issuers.c.id, "key"),
        issuers.c.version == bind(issuers.c.version, "expected_version"),
    )
    .values({column.name: bind(column) for column in issuers.columns if column.name != "id"})
)


class SqlIssuerRepository(BaseRepository):
    """`lapel.domain.ports.IssuerRepository`."""

    entity = "issuer"

    async def create(self, issuer: Issuer) -> None:
        await self._execute("issuers.create", _CREATE, issuer.id, _mapper.values(issuer))

    async def find(self, issuer_id: UUID) -> Issuer | None:
        row = await self._one("issuers.find", _FIND, issuer_id, id=issuer_id)
        return _mapper.entity(row) if row else None

    async def get(self, issuer_id: UUID) -> Issuer:
        found = await self.find(issuer_id)
        if found is None:
            raise self._missing(issuer_id)
        return found

    async def find_by_did(self, did: str) -> Issuer | None:
        row = await self._one("issuers.find_by_did", _FIND_BY_DID, did=did)
        return _mapper.entity(row) if row else None

    async def default(self) -> Issuer | None:
        row = await self._one("issuers.default", _OLDEST, organisation_id=DEFAULT_ORGANISATION_ID)
        return _mapper.entity(row) if row else None

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> list[Issuer]:
        rows = await self._all(
            "issuers.page", _PAGE, organisation_id=organisation_id, before=before_or_last(before), limit=limit
        )
        return _mapper.entities(rows)

    async def update(self, issuer: Issuer, *, expected_version: int) -> None:
        self._recorder.changed.append(("issuer", issuer.id))
        values = _mapper.values(issuer)
        del values["id"]
        touched = await self._execute(
            "issuers.update",
            _UPDATE,
            issuer.id,
            {**values, "key": issuer.id, "expected_version": expected_version},
        )
        if not touched:
            await self.get(issuer.id)
            raise PreconditionFailed(f"Issuer {issuer.id} is no longer at version {expected_version}.")
