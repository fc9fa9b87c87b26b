"""Requests with an idempotency key: each takes effect once, and a repetition within a day gets the same answer.

The record that a request is completed is stored in the transaction of its effect (`note`). After a crash there are
either both or neither, and a repetition finds the record. A request without an effect stores no record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

import structlog

from lapel.credentials.key_storage.master_key import ISSUE_KEYS, MasterKey
from lapel.domain.access import Principal
from lapel.domain.idempotency import DoneBefore, IdempotentRequest
from lapel.domain.json import JsonValue
from lapel.domain.ports import Clock, Isolation, Store, Transaction
from lapel.errors import Conflict, LapelError

__all__ = [
    "RETENTION",
    "Idempotency",
    "IdempotencyKeyInUse",
    "IdempotencyKeyReused",
    "done_once",
    "note",
    "require_undone",
]

Result = TypeVar("Result")

RETENTION: Final = timedelta(hours=24)
"""How long a key is remembered; after that it may be used for another request."""

_log = structlog.get_logger("lapel.idempotency")

_MAX_SWEPT: Final = 1000
_SWEEP_EVERY: Final = 500
_SWEEP_AFTER: Final = timedelta(minutes=1)


class IdempotencyKeyReused(LapelError):
    """This Idempotency-Key was used for a different request before."""

    code = "idempotency_key_reused"
    hint = "Use a new key, such as a UUID, for each request; send the same key only to repeat exactly the same request."


class IdempotencyKeyInUse(Conflict):
    """A request with this Idempotency-Key is still being processed."""

    code = "idempotency_key_in_use"
    hint = "Send it again in a moment to get the answer of the first one."
    retry_after_seconds: int = 1


async def note(tx: Transaction, once: IdempotentRequest | None, *outcome: UUID | JsonValue) -> None:
    """Store in `tx` that the request is completed, with its outcome. Does nothing for a request without a key.

    Raises:
        DoneBefore: another request with the same key was faster. The transaction must be rolled back.
    """
    if once is not None:
        await tx.idempotent_requests.create(once.with_outcome(*outcome))


async def require_undone(tx: Transaction, once: IdempotentRequest | None) -> None:
    """Check that what prevents a request is not its own earlier effect, for requests that call `note` last.

    Raises:
        DoneBefore: the request was completed before.
    """
    if once is not None and await tx.idempotent_requests.find_many([once.id]):
        raise DoneBefore


async def done_once(
    store: Store,
    once: IdempotentRequest | None,
    body: Callable[[Transaction], Awaitable[Result]],
    *outcome: UUID | JsonValue,
    isolation: Isolation = Isolation.READ_COMMITTED,
    idempotent: bool = False,
) -> Result:
    """Run `body` by `Store.run`, in a transaction that first stores that `once` is completed, and return its result.

    It is stored first so that a repetition fails with DoneBefore, and not because of its own earlier effect. With a
    key, every request is idempotent.

    Raises:
        DoneBefore: the request `once` was completed before.
    """

    async def noted(tx: Transaction) -> Result:
        await note(tx, once, *outcome)
        return await body(tx)

    return await store.run(noted, isolation=isolation, idempotent=idempotent or once is not None)


class Idempotency:
    """Knows which requests are completed, and which ones this process is working on."""

    def __init__(self, *, store: Store, clock: Clock, master_key: MasterKey) -> None:
        self._store = store
        self._clock = clock
        self._master_key = master_key
        self._running: set[UUID] = set()
        self._lookup_ids: list[UUID] = []
        self._lookup: asyncio.Task[Mapping[UUID, IdempotentRequest]] | None = None
        self._requests_since_sweep = 0
        self._sweep_at: datetime | None = None
        self._sweep_task: asyncio.Task[None] | None = None

    def request(self, principal: Principal, key: str, fingerprint: bytes) -> IdempotentRequest:
        """Return the principal's request with this idempotency key.

        Args:
            fingerprint: a digest of the request.
        """
        digest = self._keyed(f"{principal.organisation_id}\0{principal.actor}\0{key}".encode())
        return IdempotentRequest(
            id=UUID(bytes=digest[:16]),
            organisation_id=principal.organisation_id,
            fingerprint=self._keyed(fingerprint),
            created_at=self._clock(),
        )

    def _keyed(self, message: bytes) -> bytes:
        # Not a plain hash, which would let anyone test guesses of whom an erased credential was issued to.
        return self._master_key.digest(message, purpose=ISSUE_KEYS)

    @contextmanager
    def working(self, once: IdempotentRequest) -> Iterator[None]:
        """Keep this process from working on another request with the same key while the block runs.

        Another process may work on one. Both find out which was faster when they store that they are completed.

        Raises:
            IdempotencyKeyInUse: this process is working on one already.
        """
        if once.id in self._running:
            raise IdempotencyKeyInUse
        self._running.add(once.id)
        try:
            yield
        finally:
            self._running.discard(once.id)

    async def done(self, once: IdempotentRequest) -> IdempotentRequest | None:
        """Return the same request as it was completed within the last day; None if it was not.

        Raises:
            IdempotencyKeyReused: a different request was completed under its key.
        """
        self._sweep_if_due()
        stored = await self._find(once.id)
        if stored is None:
            return None
        before = self._clock() - RETENTION
        if stored.created_at < before:
            await self._store.run(lambda tx: tx.idempotent_requests.remove(once.id, before=before), idempotent=True)
            return None
        if stored.fingerprint != once.fingerprint:
            raise IdempotencyKeyReused
        await self._store.make_durable()  # the commit that stored it may have been answered with OutcomeUnknown
        return stored

    async def _find(self, request_id: UUID) -> IdempotentRequest | None:
        """Return the stored request. Look-ups of the same moment share one query."""
        if self._lookup is None:
            # In a context of its own, because it belongs to none of the waiting tasks, and each may be cancelled.
            self._lookup = asyncio.get_running_loop().create_task(self._look_up(), context=Context())
            self._lookup.add_done_callback(_retrieve_exception)
        self._lookup_ids.append(request_id)
        try:
            return (await asyncio.shield(self._lookup)).get(request_id)
        except LapelError as error:  # one error must not be raised in several tasks
            raise type(error)(error.detail, hint=error.hint) from error

    async def _look_up(self) -> Mapping[UUID, IdempotentRequest]:
        await asyncio.sleep(0)
        ids, self._lookup_ids, self._lookup = self._lookup_ids, [], None
        return {stored.id: stored for stored in await self._store.read().idempotent_requests.find_many(ids)}

    def _sweep_if_due(self) -> None:
        """Now and then, start a task that removes some expired requests. No request waits for it."""
        now = self._clock()
        self._requests_since_sweep += 1
        if self._requests_since_sweep < _SWEEP_EVERY and self._sweep_at is not None and now < self._sweep_at:
            return
        if self._sweep_task is None or self._sweep_task.done():
            self._requests_since_sweep, self._sweep_at = 0, now + _SWEEP_AFTER
            self._sweep_task = asyncio.get_running_loop().create_task(self._sweep(now - RETENTION), context=Context())

    async def _sweep(self, before: datetime) -> None:
        """Remove up to _MAX_SWEPT requests, which is more than were added since the last sweep."""
        try:
            await self._store.run(
                lambda tx: tx.idempotent_requests.remove_oldest(before=before, limit=_MAX_SWEPT), idempotent=True
            )
        except Exception as error:  # of any kind: the next sweep removes what this one left
            _log.warning("expired idempotency keys were not removed", error=repr(error))


def _retrieve_exception(lookup: asyncio.Task[Mapping[UUID, IdempotentRequest]]) -> None:
    """Retrieve the task's exception, which nobody else does if every waiting task was cancelled."""
    if not lookup.cancelled():
        lookup.exception()
