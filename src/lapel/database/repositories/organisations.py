"""Organisations."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import BaseRepository, bind
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import organisations
from lapel.domain.organisation import Organisation

__all__ = ["SqlOrganisationRepository"]

_mapper = Mapper(Organisation, organisations)
_CREATE = insertion(organisations)
_FIND = Statement(sa.select(*_mapper.columns).where(organisations.c.id == bind(organisations.c.id)))


class SqlOrganisationRepository(BaseRepository):
    """`lapel.domain.ports.OrganisationRepository`."""

    entity = "organisation"

    async def create(self, organisation: Organisation) -> None:
        await self._execute("organisations.create", _CREATE, organisation.id, _mapper.values(organisation))

    async def find(self, organisation_id: UUID) -> Organisation | None:
        row = await self._one("organisations.find", _FIND, organisation_id, id=organisation_id)
        return _mapper.entity(row) if row else None
