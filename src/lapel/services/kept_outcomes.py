"""What became of each of many items, kept under an idempotency key and told again as it stands then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast
from uuid import UUID

from lapel.domain.credential import Credential, CredentialErased
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.ports import Store
from lapel.errors import Conflict, FieldError, InvalidInput, LapelError, NotFound
from lapel.services.status import NotSuspendable, StatusElsewhere

__all__ = ["Outcome", "kept", "told_again"]

Outcome: TypeAlias = Credential | LapelError
"""What became of one item."""

_FAILURES: Final = {
    kind.code: kind for kind in (Conflict, CredentialErased, InvalidInput, NotFound, NotSuspendable, StatusElsewhere)
}
"""Whatever keeps an item from being done, where others are."""


def kept(outcome: Outcome) -> JsonValue:
    """What is stored of an outcome: of a credential only its id, so that it can be erased."""
    if isinstance(outcome, Credential):
        return str(outcome.id)
    errors = [[error.pointer, error.detail, error.code] for error in outcome.errors]
    return {"code": outcome.code, "detail": outcome.detail, "hint": outcome.hint, "errors": errors}


async def told_again(store: Store, once: IdempotentRequest) -> Sequence[Outcome]:
    """The outcomes of a request that is done. A credential is as it stands now, or why it is no longer here."""
    ids = [UUID(one) for one in once.outcome if isinstance(one, str)]
    there = {found.id: found for found in await store.read().credentials.find_many(ids)}
    return [_again(one, there) for one in once.outcome]


def _again(one: JsonValue, there: Mapping[UUID, Credential]) -> Outcome:
    if isinstance(one, str):
        found = there.get(UUID(one))
        if found is None:
            return NotFound(f"Credential {one} is no longer here.")
        return found if found.erased_at is None else CredentialErased(f"Credential {one} has been erased.")
    problem = cast("JsonObject", one)
    errors = [FieldError(*error) for error in cast("Sequence[tuple[str, str, str]]", problem["errors"])]
    hint = cast("str | None", problem["hint"])
    return _FAILURES[str(problem["code"])](str(problem["detail"]), hint=hint, errors=errors)
