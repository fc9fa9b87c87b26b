"""Requests under an idempotency key: each has its effect once, and is answered the same again for a day.

What says that a request is done is stored in the transaction of what it does (`note`). So there is either both or
neither, whatever is killed or lost, and whoever comes second finds it. A request without any effect leaves nothing.
"""

from __future__ import annotations

import asyncio
import hmac
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
    "KEPT_FOR",
    "Idempotency",
    "IdempotencyKeyInUse",
    "IdempotencyKeyReused",
    "done_once",
    "note",
    "require_undone",
]

Result = TypeVar("Result")

KEPT_FOR: Final = timedelta(hours=24)
"""How long a key is known; then it may be used for something else."""

_log = structlog.get_logger("lapel.idempotency")

_SWEEP_AT_MOST: Final = 1000
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
    """Store beside what a request has made in `tx` that it is done; nothing, if it came without a key.

    Raises:
        DoneBefore: another one with the same key was faster. The transaction is to be rolled back.
    """
    if once is not None:
        await tx.idempotent_requests.create(once.with_outcome(*outcome))


async def require_undone(tx: Transaction, once: IdempotentRequest | None) -> None:
    """For what cannot tell its outcome before the end: that whatever stands in its way is not its own effect.

    Raises:
        DoneBefore: it is done.
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
    """What `body` answers, run as `Store.run` does it, in a transaction that notes first that `once` is done.

    First, so that one that was done already, unheard or by another process, is told just that, before it meets what it
    has made itself. A request with a key is idempotent by it.

    Raises:
        DoneBefore: `once` was done already.
    """

    async def noted(tx: Transaction) -> Result:
        await note(tx, once, *outcome)
        return await body(tx)

    return await store.run(noted, isolation=isolation, idempotent=idempotent or once is not None)


class Idempotency:
    """Knows which requests are done, and which ones this process is working on."""

    def __init__(self, *, store: Store, clock: Clock, master_key: MasterKey) -> None:
        self._store = store
        self._clock = clock
        self._master_key = master_key
        self._running: set[UUID] = set()
        self._wanted: list[UUID] = []
        self._looking: asyncio.Task[Mapping[UUID, IdempotentRequest]] | None = None
        self._unswept = 0
        self._sweep_at: datetime | None = None
        self._sweeping: asyncio.Task[None] | None = None

    def request(self, principal: Principal, key: str, fingerprint: bytes) -> IdempotentRequest:
        """A request of theirs that they call `key`.

        Args:
            fingerprint: a digest of what is asked for.
        """
        named = self._keyed(f"{principal.organisation_id}\0{principal.actor}\0{key}".encode())
        return IdempotentRequest(
            id=UUID(bytes=named[:16]),
            organisation_id=principal.organisation_id,
            fingerprint=self._keyed(fingerprint),
            created_at=self._clock(),
        )

    def _keyed(self, message: bytes) -> bytes:
        """What only this server can compute: else who guesses a request could tell whose an erased credential was."""
        return hmac.digest(self._master_key.derive(ISSUE_KEYS), message, "sha256")

    @contextmanager
    def working(self, once: IdempotentRequest) -> Iterator[None]:
        """While it is open, no other request with the same key is worked on here.

        Another process may work on one. Both find out which one was faster when they store that they are done.

        Raises:
            IdempotencyKeyInUse: one is.
        """
        if once.id in self._running:
            raise IdempotencyKeyInUse
        self._running.add(once.id)
        try:
            yield
        finally:
            self._running.discard(once.id)

    async def done(self, once: IdempotentRequest) -> IdempotentRequest | None:
        """The same request as it was done within the last day; None if it was not.

        Raises:
            IdempotencyKeyReused: what was done under its key is something else.
        """
        self._sweep_if_due()
        found = await self._find(once.id)
        if found is None:
            return None
        before = self._clock() - KEPT_FOR
        if found.created_at < before:
            await self._store.run(lambda tx: tx.idempotent_requests.remove(once.id, before=before), idempotent=True)
            return None
        if found.fingerprint != once.fingerprint:
            raise IdempotencyKeyReused
        await self._store.make_durable()  # it may be there by a commit that was answered with "cannot be told"
        return found

    async def _find(self, request_id: UUID) -> IdempotentRequest | None:
        """The one that is stored. What is looked for at the same moment is looked for together."""
        if self._looking is None:
            # In a context of its own: it is nobody's in particular of those who wait, and each of them may go away.
            self._looking = asyncio.get_running_loop().create_task(self._look(), context=Context())
            self._looking.add_done_callback(_retrieve)
        self._wanted.append(request_id)
        try:
            return (await asyncio.shield(self._looking)).get(request_id)
        except LapelError as error:  # one error must not be raised in several tasks
            raise type(error)(error.detail, hint=error.hint) from error

    async def _look(self) -> Mapping[UUID, IdempotentRequest]:
        await asyncio.sleep(0)
        wanted, self._wanted, self._looking = self._wanted, [], None
        return {one.id: one for one in await self._store.read().idempotent_requests.find_many(wanted)}

    def _sweep_if_due(self) -> None:
        """Now and then begin to remove some of those that have expired. Nobody's request waits for it."""
        now = self._clock()
        self._unswept += 1
        if self._unswept < _SWEEP_EVERY and self._sweep_at is not None and now < self._sweep_at:
            return
        if self._sweeping is None or self._sweeping.done():
            self._unswept, self._sweep_at = 0, now + _SWEEP_AFTER
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep(now - KEPT_FOR), context=Context())

    async def _sweep(self, before: datetime) -> None:
        """Remove more than have come since the last time."""
        try:
            await self._store.run(
                lambda tx: tx.idempotent_requests.remove_oldest(before=before, limit=_SWEEP_AT_MOST), idempotent=True
            )
        except Exception as error:  # whatever it is: the next time takes what this one has left
            _log.warning("expired idempotency keys were not removed", error=repr(error))


def _retrieve(looking: asyncio.Task[Mapping[UUID, IdempotentRequest]]) -> None:
    """Take note of how it ended, for where everybody who waited for it has gone."""
    if not looking.cancelled():
        looking.exception()
