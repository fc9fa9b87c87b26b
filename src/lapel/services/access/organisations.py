"""Organisations: create, list and rename them. Each has its own issuers and API keys, which no other one sees."""

from __future__ import annotations

from uuid import UUID

from msgspec import UNSET, UnsetType

from lapel.domain.access import Principal, Role, Scope
from lapel.domain.audit import Action
from lapel.domain.organisation import Organisation
from lapel.domain.ports import Clock, IdSource, Store, Transaction
from lapel.errors import NotFound
from lapel.openbadges.problems import Problems
from lapel.services.access.api_keys import FIRST_KEY_NAME, ApiKeys, CreatedApiKey
from lapel.services.auditing.recording import record
from lapel.services.paging import DEFAULT_PAGE, Page, page_of
from lapel.services.requests import NewApiKey

__all__ = ["Organisations"]


class Organisations:
    """Manages the tenants of this server."""

    def __init__(self, *, store: Store, clock: Clock, new_id: IdSource, api_keys: ApiKeys) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._api_keys = api_keys

    async def create(self, principal: Principal, name: str) -> tuple[Organisation, CreatedApiKey]:
        """Create an organisation and its first key, an owner's, and return both.

        Raises:
            Forbidden: no scope ``organisations:admin``.
            InvalidInput: the name is empty or too long.
        """
        principal.require(Scope.ORGANISATIONS_ADMIN)
        _check_name(name)
        organisation = Organisation(id=self._new_id(), name=name, created_at=self._clock())
        first = self._api_keys.draft(organisation.id, NewApiKey(name=FIRST_KEY_NAME, role=Role.OWNER))

        async def body(tx: Transaction) -> None:
            await tx.organisations.create(organisation)
            await _record(tx, principal, Action.ORGANISATION_CREATED, None, organisation)
            await self._api_keys.store(tx, principal, first)

        await self._store.run(body)
        return organisation, first

    async def get(self, principal: Principal, organisation_id: UUID) -> Organisation:
        """Return the principal's own organisation, or any one for an operator. Raises NotFound."""
        if organisation_id == principal.organisation_id:
            principal.require(Scope.READ)
        else:
            principal.require(Scope.ORGANISATIONS_ADMIN)
        organisation = await self._store.read().organisations.find(organisation_id)
        if organisation is None:
            raise NotFound(f"There is no organisation {organisation_id}.")
        return organisation

    async def page(
        self, principal: Principal, *, before: UUID | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[Organisation]:
        """Return a page of all organisations, newest first."""
        principal.require(Scope.ORGANISATIONS_ADMIN)
        return page_of(await self._store.read().organisations.page(before=before, limit=limit + 1), limit=limit)

    async def change(self, principal: Principal, organisation_id: UUID, name: str | UnsetType) -> Organisation:
        """Return the organisation, renamed if a name is given. Raises NotFound, and InvalidInput like `create`."""
        principal.require(Scope.ORGANISATIONS_ADMIN)
        if name is UNSET:
            return await self.get(principal, organisation_id)
        _check_name(name)

        async def body(tx: Transaction) -> Organisation:
            before = await tx.organisations.find(organisation_id)
            if before is not None and before.name == name:
                return before
            renamed = await tx.organisations.rename(organisation_id, name)
            await _record(tx, principal, Action.ORGANISATION_CHANGED, before, renamed)
            return renamed

        return await self._store.run(body, idempotent=True)


async def _record(
    tx: Transaction, by: Principal, action: Action, before: Organisation | None, after: Organisation
) -> None:
    """Record it in the organisation's own log only: readers of the operator's log may not know the organisation."""
    await record(tx, by, action, after.id, before=before, after=after, organisation_id=after.id)


def _check_name(name: str) -> None:
    problems = Problems()
    problems.text(name, "/name", max_length=200)
    problems.raise_any()
