"""Organisations."""

from __future__ import annotations

from uuid import UUID

from lapel.database.repositories.base import EntityRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import page_of, update
from lapel.database.tables import organisations
from lapel.domain.organisation import Organisation

__all__ = ["SqlOrganisationRepository"]

_mapper = Mapper(Organisation, organisations)
_PAGE = page_of(_mapper.select, organisations.c.id)
_RENAME = update(organisations, ["name"], gives=_mapper.columns)


class SqlOrganisationRepository(EntityRepository[Organisation]):
    """`lapel.domain.ports.OrganisationRepository`."""

    entity = "organisation"
    table = organisations
    mapper = _mapper

    async def page(self, *, before: UUID | None, limit: int) -> list[Organisation]:
        return await self._page("organisations.page", _PAGE, before=before, limit=limit)

    async def rename(self, organisation_id: UUID, name: str) -> Organisation:
        found = await self._find("organisations.rename", _RENAME, key=organisation_id, name=name)
        return self._present(found, organisation_id)
