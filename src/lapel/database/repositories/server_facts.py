"""The repository of server facts, which are small values about this installation by name."""

from __future__ import annotations

from functools import partial
from typing import cast

import sqlalchemy as sa

from lapel.database.errors import RecordNotFound
from lapel.database.repositories.base import BaseRepository
from lapel.database.repositories.queries import equal, update
from lapel.database.statement import InsertIfAbsent, Statement, insertion
from lapel.database.tables import server_facts

__all__ = ["SqlServerFactRepository"]

_PUT_IF_ABSENT = insertion(server_facts, InsertIfAbsent)
_REPLACE = update(server_facts, ["value"])
_FIND = Statement(sa.select(server_facts.c.value).where(equal(server_facts.c.name)))


class SqlServerFactRepository(BaseRepository):
    """`lapel.domain.ports.ServerFactRepository`."""

    entity = "server fact"

    async def find(self, name: str) -> bytes | None:
        rows = await self._rows("server_facts.find", _FIND, name=name)
        return cast("bytes", rows[0][0]) if rows else None

    async def recent(self, name: str) -> bytes | None:
        cache, find = self._context.cache, partial(self.find, name)
        return await (find() if cache is None else cache.get((self.entity, name.encode()), find))

    async def put_if_absent(self, name: str, value: bytes) -> bytes:
        if await self._execute("server_facts.put_if_absent", _PUT_IF_ABSENT, {"name": name, "value": value}):
            return value
        existing = await self.find(name)
        assert existing is not None
        return existing

    async def replace(self, name: str, value: bytes) -> None:
        self._changed(name.encode())
        if not await self._execute("server_facts.replace", _REPLACE, {"key": name, "value": value}):
            raise RecordNotFound(f"There is no {self.entity} {name}.")
