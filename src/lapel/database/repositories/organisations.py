"""Organisations."""

from __future__ import annotations

from uuid import UUID

from lapel.database.repositories.base import EntityRepository, equal
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import organisations
from lapel.domain.organisation import Organisation

__all__ = ["SqlOrganisationRepository"]

_mapper = Mapper(Organisation, organisations)
_CREATE = insertion(organisations)
_FIND = Statement(_mapper.select.where(equal(organisations.c.id)))


class SqlOrganisationRepository(EntityRepository[Organisation]):
    """`lapel.domain.ports.OrganisationRepository`."""

    entity = "organisation"
    mapper = _mapper

    async def create(self, organisation: Organisation) -> None:
        await self._execute("organisations.create", _CREATE, organisation.id, _mapper.row(organisation))

    async def find(self, organisation_id: UUID) -> Organisation | None:
        return await self._find("organisations.find", _FIND, organisation_id, id=organisation_id)
