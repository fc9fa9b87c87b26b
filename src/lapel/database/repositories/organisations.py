"""Organisations."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository, bind, equal, page_of
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import organisations
from lapel.domain.organisation import Organisation

__all__ = ["SqlOrganisationRepository"]

_mapper = Mapper(Organisation, organisations)
_CREATE = insertion(organisations)
_FIND = Statement(_mapper.select.where(equal(organisations.c.id)))
_PAGE = page_of(_mapper.select, organisations.c.id)
_RENAME = Statement(
    sa.update(organisations)
    .where(equal(organisations.c.id, "key"))
    .values(name=bind(organisations.c.name))
    .returning(*_mapper.columns)
)


class SqlOrganisationRepository(EntityRepository[Organisation]):
    """`lapel.domain.ports.OrganisationRepository`."""

    entity = "organisation"
    mapper = _mapper

    async def create(self, organisation: Organisation) -> None:
        await self._execute("organisations.create", _CREATE, organisation.id, _mapper.row(organisation))

    async def find(self, organisation_id: UUID) -> Organisation | None:
        return await self._find("organisations.find", _FIND, organisation_id, id=organisation_id)

    async def page(self, *, before: UUID | None, limit: int) -> list[Organisation]:
        return await self._page("organisations.page", _PAGE, before=before, limit=limit)

    async def rename(self, organisation_id: UUID, name: str) -> Organisation:
        found = await self._find("organisations.rename", _RENAME, organisation_id, key=organisation_id, name=name)
        return self._present(found, organisation_id)
