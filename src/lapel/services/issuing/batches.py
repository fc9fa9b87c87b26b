"""Issue many credentials in one transaction: all of them or none, or each one that can be issued."""

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
from lapel.services.concurrency_limit import ConcurrencyLimit
from lapel.services.idempotency import done_once
from lapel.services.issuing.issuing import CheckedRequest, Issuing
from lapel.services.issuing.named_achievements import deleted_meanwhile
from lapel.services.requests import NewCredential
from lapel.services.stored_outcomes import Outcome, load_outcomes, stored_form

__all__ = ["MAX_BATCH_SIZE", "Batches", "TooManyBatches", "shortened"]

MAX_BATCH_SIZE: Final = 1000
_MAX_PROBLEMS: Final = 10
"""How many problems of one request in a batch are stored and reported."""

_MAX_CONCURRENT: Final = 4
_MAX_WAITING: Final = 16
"""Each waiting batch has its body in memory; one being issued also has its signed credentials there."""


class TooManyBatches(Unavailable):
    """Too many batches are being issued, or waiting to be."""

    code = "too_many_batches"
    hint = "Try again in a few seconds, with fewer batches at a time: more are not faster."
    retry_after_seconds = 5


class Batches:
    """Issues credentials in batches. The pointers of a request's problems begin with its key, such as ``/17``."""

    def __init__(self, *, store: Store, issuing: Issuing) -> None:
        self._store = store
        self._issuing = issuing
        self.slot = ConcurrencyLimit(_MAX_CONCURRENT, max_waiting=_MAX_WAITING, refusal=TooManyBatches).slot
        """Limits how many batches this process works on at once. Raises TooManyBatches."""

    async def issue(
        self, principal: Principal, requests: Mapping[str, NewCredential], once: IdempotentRequest | None = None
    ) -> Sequence[Credential]:
        """Issue all credentials, or none, and return them in the order of the requests. They are durable then.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            InvalidInput: with the problems of all requests, at most a hundred.
            TooLarge: together the credentials would have too many bytes.
            DoneBefore: the request `once` was completed before.
        """
        read = await self._issuing.read(principal, requests)
        _raise_any(read.values())
        outcomes = await self._signed(read)
        _raise_any(outcomes)
        try:
            await self._store_all(principal, outcomes, once)
        except Conflict:
            _raise_any((await self._deleted(read)).values())
            raise
        return [outcome for outcome in outcomes if isinstance(outcome, Credential)]

    async def issue_each(
        self, principal: Principal, requests: Mapping[str, NewCredential], once: IdempotentRequest | None = None
    ) -> Sequence[Outcome]:
        """Issue each credential that can be issued; return these, which are durable then, and the others' errors.

        Raises:
            Forbidden: no scope ``credentials:issue``.
            TooLarge: together the credentials would have too many bytes.
            DoneBefore: the request `once` was completed before.
        """
        read = await self._issuing.read(principal, requests)
        outcomes = [shortened(outcome) for outcome in await self._signed(read)]
        try:
            await self._store_all(principal, outcomes, once)
        except Conflict:
            deleted = await self._deleted(read)
            if not deleted:
                raise
            outcomes = [deleted.get(pointer, outcome) for pointer, outcome in zip(read, outcomes, strict=True)]
            await self._store_all(principal, outcomes, once)
        return outcomes

    async def done(self, once: IdempotentRequest) -> Sequence[Outcome]:
        """Return the outcomes of a batch that was completed before. A credential that is gone is NotFound."""
        return await load_outcomes(self._store, once)

    async def _deleted(self, read: Mapping[str, CheckedRequest | InvalidInput]) -> Mapping[str, InvalidInput]:
        """Return the errors of the requests whose achievement was deleted after it was read."""
        named = {pointer: checked[0] for pointer, checked in read.items() if not isinstance(checked, InvalidInput)}
        return await deleted_meanwhile(self._store, named)

    async def _signed(self, read: Mapping[str, CheckedRequest | InvalidInput]) -> list[Credential | InvalidInput]:
        """Return each request's signed credential, not stored yet, or why there is none."""
        valid = [checked for checked in read.values() if not isinstance(checked, InvalidInput)]
        results = iter(await self._issuing.sign(valid))
        outcomes: list[Credential | InvalidInput] = []
        for pointer, checked in read.items():
            if isinstance(checked, InvalidInput):
                outcomes.append(checked)
            else:
                signed = next(results)
                outcomes.append(signed if isinstance(signed, Credential) else error_at(pointer, signed))
        return outcomes

    async def _store_all(
        self, by: Principal, outcomes: Sequence[Credential | InvalidInput], once: IdempotentRequest | None
    ) -> None:
        credentials = [outcome for outcome in outcomes if isinstance(outcome, Credential)]

        async def body(tx: Transaction) -> None:
            await store_issued(tx, issued_by(by, credentials))

        if credentials:  # otherwise there is no effect to repeat
            await done_once(self._store, once, body, *map(stored_form, outcomes))


def _raise_any(outcomes: Iterable[object]) -> None:
    problems = Problems()
    for outcome in outcomes:
        if isinstance(outcome, InvalidInput):
            problems.include("", outcome)
    problems.raise_any()


def shortened(outcome: Credential | InvalidInput) -> Credential | InvalidInput:
    """Return the outcome of one item among many, with at most ten problems."""
    if isinstance(outcome, Credential) or len(outcome.errors) <= _MAX_PROBLEMS:
        return outcome
    return InvalidInput(outcome.detail, errors=outcome.errors[:_MAX_PROBLEMS])
