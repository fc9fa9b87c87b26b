"""The repository of credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import cast
from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository
from lapel.database.repositories.credential_lists import IS_WITHDRAWN, credential_list
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import among, equal, page_of, update
from lapel.database.statement import Statement, insertion
from lapel.database.tables import credentials, status_lists
from lapel.domain.credential import Credential, CredentialErased, CredentialStatus, Withdrawn
from lapel.domain.identifiers import LAST_ID
from lapel.domain.listing import ALL_CREDENTIALS, CredentialFilter
from lapel.errors import Conflict

__all__ = ["SqlCredentialRepository"]

_mapper = Mapper(Credential, credentials)
_c = credentials.c

_CREATE = insertion(credentials)
# IS NOT NULL is the condition of the partial index.
_WITH_ISSUE_KEYS = Statement(_mapper.select.where(_c.issue_key.is_not(None), among(_c.issue_key)))
# Rows are locked in order, so that concurrent transactions do not deadlock.
_LOCK_MANY = Statement(_mapper.select.where(among(_c.id)).order_by(_c.id).with_for_update(key_share=True))

_CHANGING = ("status", "status_reason", "status_changed_at")
_is_final = _c.status == sa.literal_column("'revoked'")
_CHANGE_STATUS = update(credentials, _CHANGING, ~_is_final, key=among(_c.id), gives=_mapper.columns)
_REPLACE = update(credentials, (*_CHANGING, "replaced_by_id"), ~_is_final, gives=_mapper.columns)
_ERASING = (*_CHANGING, "signed", "recipient_lookup", "erased_at", "issue_key")
_ERASE = update(credentials, _ERASING, _c.erased_at.is_(None), gives=_mapper.columns)
_ADVANCE_LIST = update(status_lists, version=status_lists.c.version + 1)

_SET_INDICES = Statement(
    sa.select(_c.status_index)
    .where(equal(_c.status_list_id), _c.status_index.is_not(None), equal(_c.status), IS_WITHDRAWN)
    .order_by(_c.status_index)
)
_WITHDRAWN = page_of(sa.select(_c.id, _c.status, _c.status_reason), _c.id, equal(_c.issuer_id), IS_WITHDRAWN)
_ISSUED_IN = Statement(sa.select(_c.issued_in).where(equal(_c.id)))
_OF_RECIPIENT = page_of(sa.select(_c.id), _c.id, equal(_c.recipient_lookup), equal(_c.organisation_id, indexed=False))
_STREAM = Statement(_mapper.select.where(equal(_c.organisation_id)).order_by(_c.id))


class SqlCredentialRepository(EntityRepository[Credential]):
    """`lapel.domain.ports.CredentialRepository`."""

    entity = "credential"
    mapper = _mapper

    async def create(self, credential: Credential, *, issued_in: UUID | None = None) -> None:
        await self._execute("credentials.create", _CREATE, (*_mapper.row(credential), issued_in))

    async def create_many(self, credentials_: Sequence[Credential], *, issued_in: UUID | None = None) -> None:
        rows = [(*_mapper.row(credential), issued_in) for credential in credentials_]
        await self._create_many("credentials.create_many", rows)

    async def get(self, credential_id: UUID) -> Credential:
        credential = self._present(await self.find(credential_id), credential_id)
        if credential.erased_at is not None:
            raise CredentialErased(f"Credential {credential_id} has been erased.")
        return credential

    async def issued_in(self, credential_id: UUID) -> UUID | None:
        rows = await self._rows("credentials.issued_in", _ISSUED_IN, id=credential_id)
        return cast("UUID | None", rows[0][0]) if rows else None

    async def ids_of_recipient(self, organisation_id: UUID, recipient_lookup: bytes, *, limit: int) -> list[UUID]:
        values = {"organisation_id": organisation_id, "recipient_lookup": recipient_lookup, "limit": limit}
        rows = await self._rows("credentials.ids_of_recipient", _OF_RECIPIENT, before=LAST_ID, **values)
        return [cast("UUID", credential_id) for (credential_id,) in rows]

    async def erase(self, issue_keys: Mapping[UUID, bytes | None], *, at: datetime) -> list[Credential]:
        values = _status_values(CredentialStatus.REVOKED, None, at)
        values |= {"signed": b"", "recipient_lookup": b"", "erased_at": at}
        erased: list[Credential] = []
        for key, issue_key in issue_keys.items():
            await asyncio.sleep(0)  # other requests get their turn
            erased += await self._find_all("credentials.erase", _ERASE, key=key, issue_key=issue_key, **values)
        await self._advance_lists(erased)
        return erased

    async def find_many(self, credential_ids: Sequence[UUID], *, lock: bool = False) -> list[Credential]:
        if lock:
            return await self._among("credentials.lock_many", _LOCK_MANY, sorted(credential_ids))
        return await super().find_many(credential_ids)

    async def with_issue_keys(self, keys: Sequence[bytes]) -> list[Credential]:
        return await self._among("credentials.with_issue_keys", _WITH_ISSUE_KEYS, keys)

    async def page(
        self,
        organisation_id: UUID,
        filters: CredentialFilter = ALL_CREDENTIALS,
        *,
        before: UUID | None,
        valid_before: datetime | None = None,
        limit: int,
    ) -> list[Credential]:
        statement, values = credential_list(filters, before=before, valid_before=valid_before)
        values |= {"organisation_id": organisation_id, "limit": limit}
        return await self._find_all("credentials.page", statement, **values)

    async def change_status(
        self, credential_ids: Sequence[UUID], *, status: CredentialStatus, reason: str | None, changed_at: datetime
    ) -> list[Credential]:
        values = _status_values(status, reason, changed_at)
        # In order, so that concurrent transactions do not deadlock.
        changed = await self._among("credentials.change_status", _CHANGE_STATUS, sorted(credential_ids), **values)
        await self._advance_lists(changed)
        return changed

    async def replace(self, old_id: UUID, new_id: UUID, *, reason: str, changed_at: datetime) -> Credential:
        values = {**_status_values(CredentialStatus.REVOKED, reason, changed_at), "replaced_by_id": new_id}
        old = await self._find("credentials.replace", _REPLACE, key=old_id, **values)
        if old is None:
            await self.get(old_id)
            raise Conflict(f"Credential {old_id} is revoked, and nothing can take its place.", hint="Issue it anew.")
        await self._advance_lists([old])
        return old

    async def _advance_lists(self, changed: Sequence[Credential]) -> None:
        for list_id in sorted({each.status_list_id for each in changed if each.status_list_id is not None}):
            await self._execute("status_lists.advance", _ADVANCE_LIST, {"key": list_id})

    def set_indices(self, status_list_id: UUID, *, status: str) -> AsyncGenerator[int, None]:
        values = {"status_list_id": status_list_id, "status": status}
        return self._stream("credentials.set_indices", _SET_INDICES, itemgetter(0), **values)

    async def withdrawn(self, issuer_id: UUID, *, before: UUID | None, limit: int) -> list[Withdrawn]:
        values = {"issuer_id": issuer_id, "before": LAST_ID if before is None else before, "limit": limit}
        rows = await self._rows("credentials.withdrawn", _WITHDRAWN, **values)
        typed_rows = cast("list[tuple[UUID, str, str | None]]", rows)
        return [Withdrawn(id_, CredentialStatus(status), reason) for id_, status, reason in typed_rows]

    def stream(self, organisation_id: UUID) -> AsyncGenerator[Credential, None]:
        return self._stream("credentials.stream", _STREAM, _mapper.entity, organisation_id=organisation_id)


def _status_values(status: CredentialStatus, reason: str | None, changed_at: datetime) -> dict[str, object]:
    return {"status": status, "status_reason": reason, "status_changed_at": changed_at}
