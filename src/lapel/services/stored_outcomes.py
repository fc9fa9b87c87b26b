"""The outcomes of a request for many items: stored under its idempotency key, and loaded when it is repeated."""

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

__all__ = ["Outcome", "load_outcomes", "stored_form"]

Outcome: TypeAlias = Credential | LapelError
"""The credential that an item came to, or why the item failed."""

_FAILURES: Final = {
    kind.code: kind for kind in (Conflict, CredentialErased, InvalidInput, NotFound, NotSuspendable, StatusElsewhere)
}
"""The errors with which one item can fail while others succeed, by code."""


def stored_form(outcome: Outcome) -> JsonValue:
    """Return what is stored of an outcome: of a credential only its id, so that the credential can be erased."""
    if isinstance(outcome, Credential):
        return str(outcome.id)
    errors = [[error.pointer, error.detail, error.code] for error in outcome.errors]
    return {"code": outcome.code, "detail": outcome.detail, "hint": outcome.hint, "errors": errors}


async def load_outcomes(store: Store, once: IdempotentRequest) -> Sequence[Outcome]:
    """Return the outcomes of a completed request.

    A credential is returned in its current state; one that is gone or erased becomes the error that says so.
    """
    ids = [UUID(stored) for stored in once.outcome if isinstance(stored, str)]
    credentials = {credential.id: credential for credential in await store.read().credentials.find_many(ids)}
    return [_loaded(stored, credentials) for stored in once.outcome]


def _loaded(stored: JsonValue, credentials: Mapping[UUID, Credential]) -> Outcome:
    if isinstance(stored, str):
        credential = credentials.get(UUID(stored))
        if credential is None:
            return NotFound(f"Credential {stored} is no longer here.")
        return credential if credential.erased_at is None else CredentialErased(f"Credential {stored} has been erased.")
    problem = cast("JsonObject", stored)
    errors = [FieldError(*error) for error in cast("Sequence[tuple[str, str, str]]", problem["errors"])]
    hint = cast("str | None", problem["hint"])
    return _FAILURES[str(problem["code"])](str(problem["detail"]), hint=hint, errors=errors)
