"""Read credentials back."""

from __future__ import annotations

from uuid import UUID

from lapel.domain.access import Principal, Scope
from lapel.domain.credential import Credential
from lapel.domain.ports import Store
from lapel.errors import NotFound
from lapel.services.paging import DEFAULT_PAGE, Page, page_of

__all__ = ["Credentials"]


class Credentials:
    """Issued credentials."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    async def get(self, credential_id: UUID) -> Credential:
        """The credential, of whatever organisation: whoever has its address may read it. Raises NotFound."""
        return await self._store.read().credentials.get(credential_id)

    async def own(self, principal: Principal, credential_id: UUID) -> Credential:
        """The credential, if it is the principal's organisation's. Raises NotFound."""
        principal.require(Scope.READ)
        credential = await self.get(credential_id)
        if credential.organisation_id != principal.organisation_id:
            raise NotFound(f"There is no credential {credential_id}.")
        return credential

    async def page(
        self,
        principal: Principal,
        *,
        issuer_id: UUID | None = None,
        achievement_id: UUID | None = None,
        before: UUID | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Page[Credential]:
        """The organisation's credentials, newest first."""
        principal.require(Scope.READ)
        found = await self._store.read().credentials.page(
            principal.organisation_id,
            issuer_id=issuer_id,
            achievement_id=achievement_id,
            before=before,
            limit=limit + 1,
        )
        return page_of(found, limit=limit)
