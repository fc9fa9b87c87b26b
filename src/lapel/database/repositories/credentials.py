"""Credentials."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from lapel.database.repositories.base import BaseRepository, before_or_last, bind
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import credentials, status_lists
from lapel.domain.credential import Credential, CredentialStatus, StatusChange
from lapel.errors import Conflict

__all__ = ["SqlCredentialRepository"]

_mapper = Mapper(Credential, credentials)
_select = sa.select(*_mapper.columns)
_limit = sa.bindparam("limit", type_=sa.Integer())
_status = credentials.c.status


def _page(*filters: ColumnElement[object]) -> Statement:
    matching = [column == bind(column) for column in (credentials.c.organisation_id, *filters)]
    return Statement(
        _select.where(*matching, credentials.c.id < bind(credentials.c.id, "before"))
        .order_by(credentials.c.id.desc())
        .limit(_limit)
    )


_CREATE = insertion(credentials)
_FIND = Statement(_select.where(credentials.c.id == bind(credentials.c.id)))
_PAGES = {
    (False, False): _page(),
    (True, False): _page(credentials.c.issuer_id),
    (False, True): _page(credentials.c.achievement_id),
    (True, True): _page(credentials.c.issuer_id, credentials.c.achievement_id),
}
_CHANGE_STATUS = Statement(
    sa.update(credentials)
    .where(credentials.c.id == bind(credentials.c.id, "key"), _status != sa.literal_column("'revoked'"))
    .values(
        status=bind(_status),
        status_reason=bind(credentials.c.status_reason),
        status_changed_at=bind(credentials.c.status_changed_at),
    )
    .returning(*_mapper.columns)
)
_ADVANCE_LIST = Statement(
    sa.update(status_lists)
    .where(status_lists.c.id == bind(status_lists.c.id, "key"))
    .values(version=status_lists.c.version + 1)
)
_SET_INDICES = Statement(
    sa.select(credentials.c.status_index)
    .where(
        credentials.c.status_list_id == bind(credentials.c.status_list_id),
        _status == bind(_status),
        _status != sa.literal_column("'active'"),  # as the partial index says
    )
    .order_by(credentials.c.status_index)
)
_REVOKED_OF_ISSUER = Statement(
    sa.select(credentials.c.id, credentials.c.status_reason)
    .where(credentials.c.issuer_id == bind(credentials.c.issuer_id), _status == sa.literal_column("'revoked'"))
    .order_by(credentials.c.id)
)
_STREAM = Statement(
    _select.where(credentials.c.organisation_id == bind(credentials.c.organisation_id)).order_by(credentials.c.id)
)


class SqlCredentialRepository(BaseRepository):
    """`lapel.domain.ports.CredentialRepository`."""

    entity = "credential"

    async def create(self, credential: Credential) -> None:
        await self._execute("credentials.create", _CREATE, credential.id, _mapper.values(credential))

    async def create_many(self, credentials_: Sequence[Credential]) -> None:
        rows = [_mapper.values(credential) for credential in credentials_]
        await self._bulk_insert("credentials.create_many", credentials, rows)

    async def find(self, credential_id: UUID) -> Credential | None:
        row = await self._one("credentials.find", _FIND, credential_id, id=credential_id)
        return _mapper.entity(row) if row else None

    async def get(self, credential_id: UUID) -> Credential:
        found = await self.find(credential_id)
        if found is None:
            raise self._missing(credential_id)
        return found

    async def page(
        self,
        organisation_id: UUID,
        *,
        issuer_id: UUID | None = None,
        achievement_id: UUID | None = None,
        before: UUID | None,
        limit: int,
    ) -> list[Credential]:
        rows = await self._all(
            "credentials.page",
            _PAGES[issuer_id is not None, achievement_id is not None],
            organisation_id=organisation_id,
            issuer_id=issuer_id,
            achievement_id=achievement_id,
            before=before_or_last(before),
            limit=limit,
        )
        return _mapper.entities(rows)

    async def change_status(self, change: StatusChange) -> Credential:
        row = await self._one(
            "credentials.change_status",
            _CHANGE_STATUS,
            change.credential_id,
            key=change.credential_id,
            status=change.status,
            status_reason=change.reason,
            status_changed_at=change.changed_at,
        )
        if row is None:
            credential = await self.get(change.credential_id)
            if change.status is CredentialStatus.REVOKED:
                return credential
            raise Conflict(
                f"Credential {credential.id} is revoked, and a revocation is final.",
                hint="Issue the credential anew.",
            )
        credential = _mapper.entity(row)
        if credential.status_list_id is not None:
            await self._execute(
                "status_lists.advance",
                _ADVANCE_LIST,
                credential.status_list_id,
                {"key": credential.status_list_id},
            )
        return credential

    async def set_indices(self, status_list_id: UUID, *, status: str) -> list[int]:
        rows = await self._all(
            "credentials.set_indices",
            _SET_INDICES,
            status_list_id,
            status_list_id=status_list_id,
            status=status,
        )
        return [index for (index,) in rows if isinstance(index, int)]

    async def revoked_of_issuer(self, issuer_id: UUID) -> list[tuple[UUID, str | None]]:
        rows = await self._all("credentials.revoked_of_issuer", _REVOKED_OF_ISSUER, issuer_id, issuer_id=issuer_id)
        return [(UUID(str(found)), None if reason is None else str(reason)) for found, reason in rows]

    async def stream(self, organisation_id: UUID) -> AsyncGenerator[Credential, None]:
        async with aclosing(self._stream("credentials.stream", _STREAM, organisation_id=organisation_id)) as rows:
            async for row in rows:
                yield _mapper.entity(row)
