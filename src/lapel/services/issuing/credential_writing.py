"""Stores credentials that are issued at the same moment in one transaction, with one durable commit.

While one batch is being committed, the next one gathers. It waits a moment for credentials that are still being signed,
until as many are queued as are still being signed: a larger batch costs a tenth less for each credential. A caller gets
its answer only when the commit that holds its credential has returned. The credentials of a batch that fails are stored
again one by one, so that none fails because of another one.
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

_MAX_BATCH: Final = 256
_MAX_QUEUED: Final = 5_000
_MAX_GATHERING: Final = 0.004
"""Seconds for which a batch waits for credentials that are still being signed."""

_Queued = tuple[Issued, IdempotentRequest | None, "asyncio.Future[None]"]


class CredentialWriting:
    """Writes signed credentials."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: list[_Queued] = []
        self._writer: asyncio.Task[None] | None = None
        self._signing = 0
        self._gathered: asyncio.Future[None] | None = None

    def __enter__(self) -> None:
        """Announce a credential: the block signs one that is written right after it, so a batch may wait for it."""
        self._signing += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._signing -= 1
        if error is not None:
            self._end_gathering_if_complete()

    async def write(self, credential: Credential, by: Principal, once: IdempotentRequest | None = None) -> None:
        """Store a credential issued by `by`, and that the request `once` is completed; durable when this returns.

        If the caller is cancelled meanwhile, the credential may or may not have been stored.

        Raises:
            Unavailable: too many credentials are queued, or the database is unavailable.
            Conflict: the credential cannot be stored.
            DoneBefore: the request was completed before, and nothing is stored.
        """
        if len(self._queue) >= _MAX_QUEUED:
            raise Unavailable(f"{len(self._queue)} credentials are waiting to be stored already.")
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((Issued(credential, by, origin.get()), once, durable))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        else:
            self._end_gathering_if_complete()
        await durable

    async def _write_all(self) -> None:
        try:
            while self._queue:
                if len(self._queue) < self._signing:
                    await self._gather()
                batch, self._queue = self._queue[:_MAX_BATCH], self._queue[_MAX_BATCH:]
                await self._write(batch)
        finally:
            self._writer = None
            for *_, durable in self._queue:  # not empty only if this task was cancelled, at shutdown
                _fail(durable, Unavailable("The server is shutting down."))
            self._queue = []

    async def _gather(self) -> None:
        loop = asyncio.get_running_loop()
        self._gathered = loop.create_future()
        timer = loop.call_later(_MAX_GATHERING, self._end_gathering)
        try:
            await self._gathered
        finally:
            timer.cancel()
            self._gathered = None

    def _end_gathering_if_complete(self) -> None:
        if len(self._queue) >= self._signing:
            self._end_gathering()

    def _end_gathering(self) -> None:
        if self._gathered is not None and not self._gathered.done():
            self._gathered.set_result(None)

    async def _write(self, batch: Sequence[_Queued]) -> None:
        try:
            async with self._store.transaction() as tx:
                await store_issued(tx, [issued for issued, *_ in batch])
                if len(batch) == 1:  # alone, it can fail with DoneBefore
                    ((issued, once, _),) = batch
                    await note(tx, once, issued.credential.id)
                elif done := [once.with_outcome(issued.credential.id) for issued, once, _ in batch if once is not None]:
                    await tx.idempotent_requests.create_many(done)
        except asyncio.CancelledError:
            for *_, durable in batch:
                _fail(durable, Unavailable("The server is shutting down."))
            raise
        except Exception as error:  # of any kind: the callers get it, and the next batch goes on
            await self._write_singly(batch, error)
        else:
            for *_, durable in batch:
                if not durable.done():
                    durable.set_result(None)

    async def _write_singly(self, batch: Sequence[_Queued], error: Exception) -> None:
        """After a failed batch, write each credential by itself, unless the database itself was the reason."""
        if len(batch) == 1 or isinstance(error, Unavailable):
            for *_, durable in batch:
                # One error must not be raised in several tasks.
                own = type(error)(error.detail, hint=error.hint) if isinstance(error, LapelError) else error
                _fail(durable, own)
            return
        try:
            for queued in batch:
                await self._write([queued])
        finally:
            for *_, durable in batch:  # has an effect only if this task was cancelled, on those not written yet
                _fail(durable, Unavailable("The server is shutting down."))


def _fail(durable: asyncio.Future[None], error: Exception) -> None:
    if not durable.done():
        durable.set_exception(error)
