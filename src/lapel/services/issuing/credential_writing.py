"""Store credentials that are issued at the same moment together: one transaction, one durable commit, many answers.

While one batch is being committed, the next one gathers. It waits a moment for credentials that are still being made,
until as many are there as are still to come: work that is done for many together costs a tenth less for each. A caller
is answered only when the commit that holds its credential has returned. A batch that fails is tried again one by one,
so that nobody fails for a neighbour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Final

from lapel.domain.access import Principal
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.origin import origin
from lapel.domain.ports import Store
from lapel.errors import LapelError, Unavailable
from lapel.services.auditing.recording import Issued, store_issued
from lapel.services.idempotency import note

__all__ = ["CredentialWriting"]

_MOST_AT_ONCE: Final = 256
_MOST_WAITING: Final = 5_000
_LONGEST_GATHERING: Final = 0.004
"""Seconds for which a batch waits for credentials that are being made."""

_Waiting = tuple[Issued, IdempotentRequest | None, "asyncio.Future[None]"]


class CredentialWriting:
    """Writes signed credentials."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._coming = 0
        self._enough: asyncio.Future[None] | None = None

    def __enter__(self) -> None:
        """Around the making of a credential: what will be written at once is worth waiting for."""
        self._coming += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._coming -= 1
        if error is not None:
            self._look()

    async def write(self, credential: Credential, by: Principal, once: IdempotentRequest | None = None) -> None:
        """Store one credential, which `by` has issued, and that the request for it is done; durable when this returns.

        If the caller is cancelled meanwhile, the credential may or may not have been stored.

        Raises:
            Unavailable: too many are waiting already, or the database is away.
            Conflict: it cannot be stored.
            DoneBefore: the request was done already, and nothing is stored.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise Unavailable(f"{len(self._waiting)} credentials are waiting to be stored already.")
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((Issued(credential, by, origin.get()), once, durable))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        else:
            self._look()
        await durable

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                if len(self._waiting) < self._coming:
                    await self._gather()
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                await self._write(batch)
        finally:
            self._writer = None
            for *_, durable in self._waiting:  # only where this task was cancelled: the server is ending
                _fail(durable, Unavailable("The server is shutting down."))
            self._waiting = []

    async def _gather(self) -> None:
        loop = asyncio.get_running_loop()
        self._enough = loop.create_future()
        timer = loop.call_later(_LONGEST_GATHERING, self._begin)
        try:
            await self._enough
        finally:
            timer.cancel()
            self._enough = None

    def _look(self) -> None:
        if len(self._waiting) >= self._coming:
            self._begin()

    def _begin(self) -> None:
        if self._enough is not None and not self._enough.done():
            self._enough.set_result(None)

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        try:
            async with self._store.transaction() as tx:
                await store_issued(tx, [issued for issued, *_ in batch])
                if len(batch) == 1:  # which is told, where another was faster, that it is done
                    ((issued, once, _),) = batch
                    await note(tx, once, issued.credential.id)
                elif done := [once.with_outcome(issued.credential.id) for issued, once, _ in batch if once is not None]:
                    await tx.idempotent_requests.create_many(done)
        except asyncio.CancelledError:
            for *_, durable in batch:
                _fail(durable, Unavailable("The server is shutting down."))
            raise
        except Exception as error:  # whatever it is: those who wait are told, and the next batch goes on
            await self._write_singly(batch, error)
        else:
            for *_, durable in batch:
                if not durable.done():
                    durable.set_result(None)

    async def _write_singly(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """After a failed batch: each for itself, unless it is the database that is to blame."""
        if len(batch) == 1 or isinstance(error, Unavailable):
            for *_, durable in batch:
                # One error must not be raised in several tasks.
                own = type(error)(error.detail, hint=error.hint) if isinstance(error, LapelError) else error
                _fail(durable, own)
            return
        try:
            for one in batch:
                await self._write([one])
        finally:
            for *_, durable in batch:  # only where this task was cancelled: those whose turn has not come
                _fail(durable, Unavailable("The server is shutting down."))


def _fail(durable: asyncio.Future[None], error: Exception) -> None:
    if not durable.done():
        durable.set_exception(error)
