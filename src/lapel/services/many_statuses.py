"""Revoke, suspend or reinstate many credentials: all of them or none, or each for itself."""

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
from lapel.services.kept_outcomes import Outcome, kept, told_again
from lapel.services.requests import NewStatuses
from lapel.services.status import changeable, record_status_changes

__all__ = ["MOST_AT_ONCE", "ManyStatuses"]

MOST_AT_ONCE: Final = 1_000


class ManyStatuses:
    """Changes the standing of many credentials in one transaction."""

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
        """Each credential as it now is, or why it is not so, in the order of the request.

        Args:
            atomic: change nothing, and raise, where one cannot be changed.

        Raises:
            Forbidden: no scope ``credentials:status``.
            TooLarge: there are more than MOST_AT_ONCE.
            InvalidInput, Conflict: with a FieldError for each that cannot be changed, such as ``/ids/17``.
            DoneBefore: `once` was done already.
        """
        principal.require(Scope.CREDENTIALS_STATUS)
        if len(request.ids) > MOST_AT_ONCE:
            raise TooLarge(f"There may be at most {MOST_AT_ONCE:,} at a time, not {len(request.ids):,}.")
        problems = Problems()
        problems.text(request.reason, "/reason")
        if not request.ids:
            problems.add("/ids", "must have at least one item", "empty")
        problems.raise_any()
        named = self._named(request.ids)
        wanted = [each for each in named if isinstance(each, UUID)]

        async def body(tx: Transaction) -> Sequence[Outcome]:
            outcomes = await self._changed(tx, principal, wanted, request, atomic=atomic and len(wanted) == len(named))
            found = [outcomes[each] if isinstance(each, UUID) else each for each in named]
            if any(isinstance(each, LapelError) for each in found):  # as it may be because this very request is done
                await require_undone(tx, once)
            if atomic:
                _raise_any(found)
            if any(isinstance(each, Credential) for each in found):  # else there is no effect that could be had twice
                await note(tx, once, *map(kept, found))
            return found

        return await self._store.run(body, idempotent=True)

    async def done(self, once: IdempotentRequest) -> Sequence[Outcome]:
        """What became of each credential, as it stands now, of a request that is done."""
        return await told_again(self._store, once)

    def _named(self, texts: Sequence[str]) -> list[UUID | LapelError]:
        """Each id, or what is wrong with it."""
        named: list[UUID | LapelError] = []
        seen: set[UUID] = set()
        for text in texts:
            try:
                found = parse_id(self._addresses.own_id(text, collection="/v3/credentials"))
            except InvalidInput as error:
                named.append(error)
                continue
            named.append(InvalidInput("This id is there more than once.") if found in seen else found)
            seen.add(found)
        return named

    async def _changed(
        self, tx: Transaction, principal: Principal, wanted: Sequence[UUID], request: NewStatuses, *, atomic: bool
    ) -> Mapping[UUID, Outcome]:
        """What becomes of each; of none, where it is all or nothing and one stands in the way."""
        outcomes = await changeable(tx, principal, wanted, request.status)
        if atomic and any(isinstance(outcome, LapelError) for outcome in outcomes.values()):
            return outcomes
        changing = {
            one: outcome
            for one, outcome in outcomes.items()
            if isinstance(outcome, Credential) and outcome.status is not request.status
        }
        changed = await tx.credentials.change_status(
            list(changing), status=request.status, reason=request.reason, changed_at=self._clock()
        )
        await record_status_changes(tx, principal, changing, changed)
        return {**outcomes, **{one.id: one for one in changed}}


def _raise_any(outcomes: Sequence[Outcome]) -> None:
    """Raise one error for all that there are."""
    errors = [
        FieldError(f"/ids/{number}", outcome.detail, outcome.code)
        for number, outcome in enumerate(outcomes)
        if isinstance(outcome, LapelError)
    ]
    if not errors:
        return
    kind = Conflict if all(isinstance(one, Credential | Conflict) for one in outcomes) else InvalidInput
    raise kind(
        f"{len(errors)} of {len(outcomes)} credentials cannot be changed, so none was.",
        hint="Leave them out, or use ?atomic=false.",
        errors=errors[:100],
    )
