"""Revoke, suspend or reinstate many credentials: all of them or none, or each one that can be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.identifiers import parse_id
from lapel.domain.ports import Clock, Store, Transaction
from lapel.errors import Conflict, FieldError, InvalidInput, LapelError, TooLarge
from lapel.openbadges.problems import Problems
from lapel.services.idempotency import note, require_undone
from lapel.services.requests import NewStatuses
from lapel.services.status import changeable, record_status_changes
from lapel.services.stored_outcomes import Outcome, load_outcomes, stored_form

__all__ = ["MAX_AT_ONCE", "ManyStatuses"]

MAX_AT_ONCE: Final = 1_000


class ManyStatuses:
    """Changes the status of many credentials in one transaction."""

    def __init__(self, *, store: Store, clock: Clock, addresses: Addresses) -> None:
        self._store = store
        self._clock = clock
        self._addresses = addresses

    async def change(
        self,
        principal: Principal,
        request: NewStatuses,
        *,
        atomic: bool = True,
        once: IdempotentRequest | None = None,
    ) -> Sequence[Outcome]:
        """Return each credential in its new state, or the error why it was not changed, in the order of the request.

        Args:
            atomic: change nothing, and raise, if one cannot be changed.

        Raises:
            Forbidden: no scope ``credentials:status``.
            TooLarge: there are more than MAX_AT_ONCE ids.
            InvalidInput, Conflict: with a FieldError for each that cannot be changed, such as ``/ids/17``.
            DoneBefore: the request `once` was completed before.
        """
        principal.require(Scope.CREDENTIALS_STATUS)
        if len(request.ids) > MAX_AT_ONCE:
            raise TooLarge(f"There may be at most {MAX_AT_ONCE:,} at a time, not {len(request.ids):,}.")
        problems = Problems()
        problems.text(request.reason, "/reason")
        if not request.ids:
            problems.add("/ids", "must have at least one item", "empty")
        problems.raise_any()
        parsed = self._parsed(request.ids)
        ids = [item for item in parsed if isinstance(item, UUID)]

        async def body(tx: Transaction) -> Sequence[Outcome]:
            changed = await self._changed(tx, principal, ids, request, atomic=atomic and len(ids) == len(parsed))
            outcomes = [changed[item] if isinstance(item, UUID) else item for item in parsed]
            if any(isinstance(outcome, LapelError) for outcome in outcomes):
                # The errors may be effects of this very request, if it was completed before.
                await require_undone(tx, once)
            if atomic:
                _raise_any(outcomes)
            if any(isinstance(outcome, Credential) for outcome in outcomes):  # otherwise there is no effect to repeat
                await note(tx, once, *map(stored_form, outcomes))
            return outcomes

        return await self._store.run(body, idempotent=True)

    async def done(self, once: IdempotentRequest) -> Sequence[Outcome]:
        """Return the outcomes of a request that was completed before, with each credential in its current state."""
        return await load_outcomes(self._store, once)

    def _parsed(self, texts: Sequence[str]) -> list[UUID | LapelError]:
        """Return each id, or the error that is in it."""
        parsed: list[UUID | LapelError] = []
        seen: set[UUID] = set()
        for text in texts:
            try:
                credential_id = parse_id(self._addresses.own_id(text, collection="/v3/credentials"))
            except InvalidInput as error:
                parsed.append(error)
                continue
            repeated = credential_id in seen
            parsed.append(InvalidInput("This id is there more than once.") if repeated else credential_id)
            seen.add(credential_id)
        return parsed

    async def _changed(
        self, tx: Transaction, principal: Principal, ids: Sequence[UUID], request: NewStatuses, *, atomic: bool
    ) -> Mapping[UUID, Outcome]:
        """Change the credentials, and return each one's outcome; if `atomic`, change none if one cannot be changed."""
        outcomes = await changeable(tx, principal, ids, request.status)
        if atomic and any(isinstance(outcome, LapelError) for outcome in outcomes.values()):
            return outcomes
        before = {
            credential_id: outcome
            for credential_id, outcome in outcomes.items()
            if isinstance(outcome, Credential) and outcome.status is not request.status
        }
        changed = await tx.credentials.change_status(
            list(before), status=request.status, reason=request.reason, changed_at=self._clock()
        )
        await record_status_changes(tx, principal, before, changed)
        return {**outcomes, **{credential.id: credential for credential in changed}}


def _raise_any(outcomes: Sequence[Outcome]) -> None:
    """Raise one error that lists the errors of all items, if there are any."""
    errors = [
        FieldError(f"/ids/{number}", outcome.detail, outcome.code)
        for number, outcome in enumerate(outcomes)
        if isinstance(outcome, LapelError)
    ]
    if not errors:
        return
    kind = Conflict if all(isinstance(outcome, Credential | Conflict) for outcome in outcomes) else InvalidInput
    raise kind(
        f"{len(errors)} of {len(outcomes)} credentials cannot be changed, so none was.",
        hint="Leave them out, or use ?atomic=false.",
        errors=errors[:100],
    )
