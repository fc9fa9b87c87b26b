"""Issuers."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository, any_of, bind, deletion, equal, ordered_page_of, page_of
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import achievements, credentials, issuers, signing_keys, status_lists
from lapel.domain.issuer import Issuer
from lapel.domain.listing import fold_name
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import PreconditionFailed

__all__ = ["SqlIssuerRepository"]

_mapper = Mapper(Issuer, issuers, derived={"name_folded": lambda issuer: fold_name(issuer.name)})
_of_organisation = equal(issuers.c.organisation_id)

_CREATE = insertion(issuers)
_FIND = Statement(_mapper.select.where(equal(issuers.c.id)))
_FIND_BY_DID = Statement(_mapper.select.where(equal(issuers.c.did)))
_OLDEST = Statement(_mapper.select.where(_of_organisation).order_by(issuers.c.id).limit(1))
_PAGE = page_of(_mapper.select, issuers.c.id, _of_organisation)
_BY_NAME = ordered_page_of(_mapper.select, issuers.c.name_folded, issuers.c.id, _of_organisation, descending=False)
_UPDATE = Statement(
    sa.update(issuers)
    .where(equal(issuers.c.id, "key"), equal(issuers.c.version, "expected_version"))
    .values({column.name: bind(column) for column in issuers.columns if column.name != "id"})
)
# Locked first, where rows can be: who makes anything for the issuer meanwhile waits, and finds it gone.
_LOCK = Statement(_mapper.select.where(equal(issuers.c.id)).with_for_update())
_USES = {"achievements": any_of(achievements.c.issuer_id), "credentials": any_of(credentials.c.issuer_id)}
_DELETIONS = tuple(deletion(each) for each in (status_lists.c.issuer_id, signing_keys.c.issuer_id, issuers.c.id))


class SqlIssuerRepository(EntityRepository[Issuer]):
    """`lapel.domain.ports.IssuerRepository`."""

    entity = "issuer"
    mapper = _mapper

    async def create(self, issuer: Issuer) -> None:
        await self._execute("issuers.create", _CREATE, issuer.id, _mapper.row(issuer))

    async def find(self, issuer_id: UUID) -> Issuer | None:
        return await self._cached(issuer_id.bytes, "issuers.find", _FIND, issuer_id, id=issuer_id)

    async def get(self, issuer_id: UUID) -> Issuer:
        return self._present(await self.find(issuer_id), issuer_id)

    async def find_by_did(self, did: str) -> Issuer | None:
        return await self._find("issuers.find_by_did", _FIND_BY_DID, did=did)

    async def default(self) -> Issuer | None:
        return await self._find("issuers.default", _OLDEST, organisation_id=DEFAULT_ORGANISATION_ID)

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> list[Issuer]:
        return await self._page("issuers.page", _PAGE, before=before, limit=limit, organisation_id=organisation_id)

    async def page_by_name(
        self, organisation_id: UUID, prefix: str, *, after: tuple[str, UUID] | None, limit: int
    ) -> list[Issuer]:
        return await self._page_by_name(
            "issuers.page_by_name", _BY_NAME, prefix, after=after, limit=limit, organisation_id=organisation_id
        )

    async def update(self, issuer: Issuer, *, expected_version: int) -> None:
        self._changed(issuer.id.bytes)
        values = {**_mapper.values(issuer), "key": issuer.id, "expected_version": expected_version}
        if not await self._execute("issuers.update", _UPDATE, issuer.id, values):
            await self.get(issuer.id)
            raise PreconditionFailed(f"Issuer {issuer.id} is no longer at version {expected_version}.")

    async def delete(self, issuer_id: UUID) -> Issuer:
        found = await self._find("issuers.lock", _LOCK, issuer_id, id=issuer_id)
        return await self._remove(found, issuer_id, uses=_USES, deletions=_DELETIONS)
