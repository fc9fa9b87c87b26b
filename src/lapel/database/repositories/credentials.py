"""Credentials."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from lapel.database.repositories.base import EntityRepository, among, bind, equal, page_of
from lapel.database.repositories.credential_lists import IS_WITHDRAWN, credential_list
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Row, Statement, insertion
from lapel.database.tables import credentials, status_lists
from lapel.domain.credential import Credential, CredentialErased, CredentialStatus, StatusChange, Withdrawn
from lapel.domain.identifiers import LAST_ID
from lapel.domain.listing import ALL_CREDENTIALS, CredentialFilter
from lapel.errors import Conflict

__all__ = ["SqlCredentialRepository"]

_mapper = Mapper(Credential, credentials, given=("issued_in",))
_status = credentials.c.status
_of_organisation = equal(credentials.c.organisation_id)
_of_issuer = equal(credentials.c.issuer_id)

_CREATE = insertion(credentials)
_FIND = Statement(_mapper.select.where(equal(credentials.c.id)))
_key = credentials.c.issue_key
# That it is there is said because the partial index says it.
_WITH_ISSUE_KEYS = Statement(_mapper.select.where(_key.is_not(None), among(_key)))
_FIND_MANY = Statement(_mapper.select.where(among(credentials.c.id)))


def _change(which: ColumnElement[bool], *more: ColumnElement[object]) -> Statement:
    """What is revoked stays so."""
    changing = (_status, credentials.c.status_reason, credentials.c.status_changed_at, *more)
    return Statement(
        sa.update(credentials)
        .where(which, _status != sa.literal_column("'revoked'"))
        .values({each: bind(each) for each in changing})
        .returning(*_mapper.columns)
    )


_CHANGE_STATUS = _change(equal(credentials.c.id, "key"))
_CHANGE_STATUS_OF_MANY = _change(among(credentials.c.id))
_REPLACE = _change(equal(credentials.c.id, "key"), credentials.c.replaced_by_id)
_ADVANCE_LIST = Statement(
    sa.update(status_lists).where(equal(status_lists.c.id, "key")).values(version=status_lists.c.version + 1)
)
_SET_INDICES = Statement(
    sa.select(credentials.c.status_index)
    .where(equal(credentials.c.status_list_id), credentials.c.status_index.is_not(None), equal(_status), IS_WITHDRAWN)
    .order_by(credentials.c.status_index)
)
_WITHDRAWN = page_of(
    sa.select(credentials.c.id, _status, credentials.c.status_reason), credentials.c.id, _of_issuer, IS_WITHDRAWN
)
_ISSUED_IN = Statement(sa.select(credentials.c.issued_in).where(equal(credentials.c.id)))
_OF_RECIPIENT = Statement(
    sa.select(credentials.c.id)
    .where(equal(credentials.c.recipient_lookup), _of_organisation)
    .limit(sa.bindparam("limit", type_=sa.Integer()))
)
_ERASED = [
    credentials.c[name]
    for name in ("signed", "recipient_lookup", "status", "status_reason", "status_changed_at", "erased_at", "issue_key")
]
_ERASE = Statement(
    sa.update(credentials)
    .where(equal(credentials.c.id, "key"), credentials.c.erased_at.is_(None))
    .values({each: bind(each) for each in _ERASED})
    .returning(*_mapper.columns)
)
_STREAM = Statement(_mapper.select.where(_of_organisation).order_by(credentials.c.id))


class SqlCredentialRepository(EntityRepository[Credential]):
    """`lapel.domain.ports.CredentialRepository`."""

    entity = "credential"
    mapper = _mapper

    async def create(self, credential: Credential, *, issued_in: UUID | None = None) -> None:
        row = (*_mapper.row(credential), issued_in)
        await self._execute("credentials.create", _CREATE, credential.id, row)

    async def create_many(self, credentials_: Sequence[Credential], *, issued_in: UUID | None = None) -> None:
        rows = [(*_mapper.row(credential), issued_in) for credential in credentials_]
        await self._run("credentials.create_many", None, self._session.bulk_insert, credentials, rows)

    async def find(self, credential_id: UUID) -> Credential | None:
        return await self._find("credentials.find", _FIND, credential_id, id=credential_id)

    async def get(self, credential_id: UUID) -> Credential:
        found = self._present(await self.find(credential_id), credential_id)
        if found.erased_at is not None:
            raise CredentialErased(f"Credential {credential_id} has been erased.")
        return found

    async def issued_in(self, credential_id: UUID) -> UUID | None:
        row = await self._one("credentials.issued_in", _ISSUED_IN, credential_id, id=credential_id)
        return None if row is None else cast("UUID | None", row[0])

    async def ids_of_recipient(self, organisation_id: UUID, recipient_lookup: bytes, *, limit: int) -> list[UUID]:
        given = {"organisation_id": organisation_id, "recipient_lookup": recipient_lookup, "limit": limit}
        rows = await self._run("credentials.ids_of_recipient", None, self._session.fetch_all, _OF_RECIPIENT, given)
        return [cast("UUID", row[0]) for row in rows]

    async def erase(self, credential_id: UUID, *, at: datetime, issue_key: bytes | None) -> Credential | None:
        left = await self._find(
            "credentials.erase",
            _ERASE,
            credential_id,
            key=credential_id,
            signed=b"",
            recipient_lookup=b"",
            **_changed(CredentialStatus.REVOKED, None, at),
            erased_at=at,
            issue_key=issue_key,
        )
        if left is not None:
            await self._advance_lists([left])
        return left

    async def find_many(self, credential_ids: Sequence[UUID]) -> list[Credential]:
        return await self._among("credentials.find_many", _FIND_MANY, credential_ids)

    async def with_issue_keys(self, keys: Sequence[bytes]) -> list[Credential]:
        return await self._among("credentials.with_issue_keys", _WITH_ISSUE_KEYS, keys)

    async def page(
        self,
        organisation_id: UUID,
        wanted: CredentialFilter = ALL_CREDENTIALS,
        *,
        before: UUID | None,
        valid_before: datetime | None = None,
        limit: int,
    ) -> list[Credential]:
        statement, given = credential_list(wanted, before=before, valid_before=valid_before)
        return await self._find_all(
            "credentials.page", statement, **given, organisation_id=organisation_id, limit=limit
        )

    async def change_status(self, change: StatusChange) -> Credential:
        changed = await self._find(
            "credentials.change_status",
            _CHANGE_STATUS,
            change.credential_id,
            key=change.credential_id,
            **_changed(change.status, change.reason, change.changed_at),
        )
        if changed is None:
            credential = await self.get(change.credential_id)
            if change.status is CredentialStatus.REVOKED:
                return credential
            raise Conflict(f"Credential {credential.id} is revoked, and a revocation is final.", hint="Issue it anew.")
        await self._advance_lists([changed])
        return changed

    async def change_status_of_many(
        self, credential_ids: Sequence[UUID], *, status: CredentialStatus, reason: str | None, changed_at: datetime
    ) -> list[Credential]:
        given = _changed(status, reason, changed_at)
        # In order, so that of two who change the same ones neither waits for the other.
        changed = await self._among(
            "credentials.change_status_of_many", _CHANGE_STATUS_OF_MANY, sorted(credential_ids), **given
        )
        await self._advance_lists(changed)
        return changed

    async def replace(self, old_id: UUID, new_id: UUID, *, reason: str, changed_at: datetime) -> Credential:
        given = _changed(CredentialStatus.REVOKED, reason, changed_at)
        old = await self._find("credentials.replace", _REPLACE, old_id, key=old_id, replaced_by_id=new_id, **given)
        if old is None:
            await self.get(old_id)
            raise Conflict(f"Credential {old_id} is revoked, and nothing can take its place.", hint="Issue it anew.")
        await self._advance_lists([old])
        return old

    async def _advance_lists(self, changed: Sequence[Credential]) -> None:
        for listed in sorted({one.status_list_id for one in changed if one.status_list_id is not None}):
            await self._execute("status_lists.advance", _ADVANCE_LIST, listed, {"key": listed})

    def set_indices(self, status_list_id: UUID, *, status: str) -> AsyncGenerator[int, None]:
        return self._stream(
            "credentials.set_indices", _SET_INDICES, _index, status_list_id=status_list_id, status=status
        )

    async def withdrawn(self, issuer_id: UUID, *, before: UUID | None, limit: int) -> list[Withdrawn]:
        given = {"issuer_id": issuer_id, "before": LAST_ID if before is None else before, "limit": limit}
        rows = await self._run("credentials.withdrawn", None, self._session.fetch_all, _WITHDRAWN, given)
        found = cast("list[tuple[UUID, str, str | None]]", rows)
        return [Withdrawn(one, CredentialStatus(status), reason) for one, status, reason in found]

    def stream(self, organisation_id: UUID) -> AsyncGenerator[Credential, None]:
        return self._stream("credentials.stream", _STREAM, _mapper.entity, organisation_id=organisation_id)


def _changed(status: CredentialStatus, reason: str | None, changed_at: datetime) -> dict[str, object]:
    return {"status": status, "status_reason": reason, "status_changed_at": changed_at}


def _index(row: Row) -> int:
    return cast("int", row[0])
