"""Issue many credentials at once, in one transaction: all of them or none, or those that can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lapel.domain.access import Principal
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.ports import Store, Transaction
from lapel.errors import Conflict, InvalidInput, Unavailable
from lapel.openbadges.problems import Problems, error_at
from lapel.services.auditing.recording import issued_by, store_issued
from lapel.services.idempotency import done_once
from lapel.services.issuing.issuing import Asked, Issuing
from lapel.services.issuing.named_achievements import deleted_meanwhile
from lapel.services.kept_outcomes import Outcome, kept, told_again
from lapel.services.requests import NewCredential
from lapel.services.turns import Turns

__all__ = ["LARGEST_BATCH", "Batches", "TooManyBatches"]

LARGEST_BATCH: Final = 1000
_MOST_TOLD: Final = 10
"""Problems of one request among many that are kept and told."""


_AT_A_TIME: Final = 4
_MOST_WAITING: Final = 16
"""Each has its body in memory, one that is worked on also what is signed."""


class TooManyBatches(Unavailable):
    """Too many batches are being issued, or waiting to be."""

    code = "too_many_batches"
    hint = "Try again in a few seconds, with fewer batches at a time: more are not faster."
    retry_after_seconds = 5


class Batches:
    """Awards achievements, many at a time. Each request has a pointer, such as ``/17``: its problems begin with it."""

    def __init__(self, *, store: Store, issuing: Issuing) -> None:
        self._store = store
        self._issuing = issuing
        self.turn = Turns(_AT_A_TIME, most_waiting=_MOST_WAITING, refusal=TooManyBatches).turn
        """To be one of the few that this process works on at a time."""

    async def issue(
        self, principal: Principal, requests: Mapping[str, NewCredential], once: IdempotentRequest | None = None
    ) -> Sequence[Credential]:
        """Issue all of them, or none; durable when this returns. In the order of the requests.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            InvalidInput: with the problems of all requests, at most a hundred.
            TooLarge: together the credentials would have too many bytes.
            DoneBefore: `once` was done already.
        """
        read = await self._issuing.read(principal, requests)
        _raise_any(read.values())
        outcomes = await self._made(read)
        _raise_any(outcomes)
        try:
            await self._store_all(principal, outcomes, once)
        except Conflict:
            _raise_any((await self._deleted(read)).values())
            raise
        return [one for one in outcomes if isinstance(one, Credential)]

    async def issue_each(
        self, principal: Principal, requests: Mapping[str, NewCredential], once: IdempotentRequest | None = None
    ) -> Sequence[Outcome]:
        """Issue those that can be issued, durable when this returns; of the others, what is wrong with them.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            TooLarge: together the credentials would have too many bytes.
            DoneBefore: `once` was done already.
        """
        read = await self._issuing.read(principal, requests)
        outcomes = [_shortened(one) for one in await self._made(read)]
        try:
            await self._store_all(principal, outcomes, once)
        except Conflict:
            deleted = await self._deleted(read)
            if not deleted:
                raise
            outcomes = [deleted.get(pointer, one) for pointer, one in zip(read, outcomes, strict=True)]
            await self._store_all(principal, outcomes, once)
        return outcomes

    async def done(self, once: IdempotentRequest) -> Sequence[Outcome]:
        """What became of each request of a batch that is done. A credential that is no longer there is NotFound."""
        return await told_again(self._store, once)

    async def _deleted(self, read: Mapping[str, Asked | InvalidInput]) -> Mapping[str, InvalidInput]:
        """What to say of those whose achievement somebody has deleted since it was read."""
        named = {pointer: one[0] for pointer, one in read.items() if not isinstance(one, InvalidInput)}
        return await deleted_meanwhile(self._store, named)

    async def _made(self, read: Mapping[str, Asked | InvalidInput]) -> list[Credential | InvalidInput]:
        """Of those requests that could be read: the credentials, not stored yet, or why they cannot be made."""
        made = iter(await self._issuing.sign([one for one in read.values() if not isinstance(one, InvalidInput)]))
        outcomes: list[Credential | InvalidInput] = []
        for pointer, one in read.items():
            if isinstance(one, InvalidInput):
                outcomes.append(one)
            else:
                signed = next(made)
                outcomes.append(signed if isinstance(signed, Credential) else error_at(pointer, signed))
        return outcomes

    async def _store_all(
        self, by: Principal, outcomes: Sequence[Credential | InvalidInput], once: IdempotentRequest | None
    ) -> None:
        credentials = [one for one in outcomes if isinstance(one, Credential)]

        async def body(tx: Transaction) -> None:
            await store_issued(tx, issued_by(by, credentials))

        if credentials:  # else there is no effect that could be had twice
            await done_once(self._store, once, body, *map(kept, outcomes))


def _raise_any(outcomes: Iterable[object]) -> None:
    problems = Problems()
    for one in outcomes:
        if isinstance(one, InvalidInput):
            problems.include("", one)
    problems.raise_any()


def _shortened(outcome: Credential | InvalidInput) -> Credential | InvalidInput:
    if isinstance(outcome, Credential) or len(outcome.errors) <= _MOST_TOLD:
        return outcome
    return InvalidInput(outcome.detail, errors=outcome.errors[:_MOST_TOLD])
