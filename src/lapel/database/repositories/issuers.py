"""The repository of issuers."""

from __future__ import annotations

from uuid import UUID

from lapel.database.repositories.base import VersionedRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import any_of, deletion, equal, ordered_page_of, page_of, update
from lapel.database.statement import Statement
from lapel.database.tables import achievements, credentials, issuers, signing_keys, status_lists
from lapel.domain.issuer import Issuer
from lapel.domain.listing import fold_name
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

__all__ = ["SqlIssuerRepository"]

_mapper = Mapper(Issuer, issuers, derived={"name_folded": lambda issuer: fold_name(issuer.name)})
_of_organisation = equal(issuers.c.organisation_id)

_FIND_BY_DID = Statement(_mapper.select.where(equal(issuers.c.did)))
_OLDEST = Statement(_mapper.select.where(_of_organisation).order_by(issuers.c.id).limit(1))
_PAGE = page_of(_mapper.select, issuers.c.id, _of_organisation)
_BY_NAME = ordered_page_of(_mapper.select, issuers.c.name_folded, issuers.c.id, _of_organisation)
_CHANGING = [column.name for column in issuers.columns if column.name != "id"]
_ADVANCE = update(issuers, _CHANGING, equal(issuers.c.version, "expected_version"))
_USES = {"achievements": any_of(achievements.c.issuer_id), "credentials": any_of(credentials.c.issuer_id)}
_DELETIONS = tuple(map(deletion, (status_lists.c.issuer_id, signing_keys.c.issuer_id, issuers.c.id)))


class SqlIssuerRepository(VersionedRepository[Issuer]):
    """`lapel.domain.ports.IssuerRepository`."""

    entity = "issuer"
    mapper = _mapper
    advance, uses, deletions = _ADVANCE, _USES, _DELETIONS

    async def find(self, issuer_id: UUID) -> Issuer | None:
        return await self._cached(issuer_id.bytes, "issuers.find", self._FIND, id=issuer_id)

    async def find_by_did(self, did: str) -> Issuer | None:
        return await self._find("issuers.find_by_did", _FIND_BY_DID, did=did)

    async def default(self) -> Issuer | None:
        return await self._find("issuers.default", _OLDEST, organisation_id=DEFAULT_ORGANISATION_ID)

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> list[Issuer]:
        return await self._page("issuers.page", _PAGE, before=before, limit=limit, organisation_id=organisation_id)

    async def page_by_name(
        self, organisation_id: UUID, prefix: str, *, after: tuple[str, UUID] | None, limit: int
    ) -> list[Issuer]:
        values = {"organisation_id": organisation_id, "limit": limit}
        return await self._page_by_name("issuers.page_by_name", _BY_NAME, prefix, after, **values)
