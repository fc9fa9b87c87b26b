"""Issue many credentials at once, in one transaction: all of them or none, or those that can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lapel.domain.access import Principal
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.ports import Store, Transaction
from lapel.errors import InvalidInput
from lapel.openbadges.problems import Problems, placed
from lapel.services.auditing.recording import issued_by, store_issued
from lapel.services.idempotency import done_once
from lapel.services.issuing.issuing import Asked, Issuing
from lapel.services.kept_outcomes import Outcome, kept, told_again
from lapel.services.requests import NewCredential

__all__ = ["LARGEST_BATCH", "Batches"]

LARGEST_BATCH: Final = 1000
_MOST_TOLD: Final = 10
"""Problems of one request among many that are kept and told."""


class Batches:
    """Awards achievements, many at a time. Each request has a pointer, such as ``/17``: its problems begin with it."""

    def __init__(self, *, store: Store, issuing: Issuing) -> None:
        self._store = store
        self._issuing = issuing

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
        await self._store_all(principal, outcomes, once)
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
        outcomes = [_shortened(one) for one in await self._made(await self._issuing.read(principal, requests))]
        await self._store_all(principal, outcomes, once)
        return outcomes

    async def done(self, once: IdempotentRequest) -> Sequence[Outcome]:
        """What became of each request of a batch that is done. A credential that is no longer there is NotFound."""
        return await told_again(self._store, once)

    async def _made(self, read: Mapping[str, Asked | InvalidInput]) -> list[Credential | InvalidInput]:
        """Of those requests that could be read: the credentials, not stored yet, or why they cannot be made."""
        made = iter(await self._issuing.sign([one for one in read.values() if not isinstance(one, InvalidInput)]))
        outcomes: list[Credential | InvalidInput] = []
        for pointer, one in read.items():
            if isinstance(one, InvalidInput):
                outcomes.append(one)
            else:
                signed = next(made)
                outcomes.append(signed if isinstance(signed, Credential) else placed(signed, pointer))
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
            problems.within("", one)
    problems.raise_any()


def _shortened(outcome: Credential | InvalidInput) -> Credential | InvalidInput:
    if isinstance(outcome, Credential) or len(outcome.errors) <= _MOST_TOLD:
        return outcome
    return InvalidInput(outcome.detail, errors=outcome.errors[:_MOST_TOLD])
