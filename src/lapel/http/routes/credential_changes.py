"""Change issued credentials: revoke, suspend, reinstate and replace them."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import post
from litestar.params import FromPath, JSONBody

from lapel.domain.access import Scope
from lapel.domain.credential import Credential, CredentialErased
from lapel.domain.idempotency import IdempotentRequest
from lapel.errors import InvalidInput, LapelError
from lapel.http.answer import Answer, json_answer
from lapel.http.auth import requires
from lapel.http.call import Call, path_id
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.itemised import ATOMIC, is_atomic, itemised
from lapel.http.openapi.operations import answers, described
from lapel.http.routes.credential_lists import credential_item
from lapel.http.routes.credentials import ISSUED, issued, issued_before
from lapel.openbadges.problems import error_at
from lapel.services.answers import ChangedCredentials, CredentialItem
from lapel.services.requests import NewStatus, NewStatuses, Replacement
from lapel.services.status import NotSuspendable, StatusElsewhere
from lapel.services.stored_outcomes import Outcome

__all__ = ["HANDLERS"]

_TAGS = ["Credentials"]
_CONFLICTS = (409, CredentialErased, NotSuspendable, StatusElsewhere)


async def _changed_before(request: Call, done: IdempotentRequest) -> Answer:
    return _status(request, await request.services.credentials.get(done.entity_id))


@post(
    "/v3/credentials/{credential_id:str}/status",
    summary="Revoke, suspend or reinstate a credential",
    operation_class=described(headers=IDEMPOTENCY_KEY),
    status_code=200,
    **requires(Scope.CREDENTIALS_STATUS),
    tags=_TAGS,
    responses=answers(CredentialItem, guarded=True, writes=True, also=_CONFLICTS),
)
@idempotent(_changed_before)
async def change_credential_status(request: Call, credential_id: FromPath[str], data: JSONBody[NewStatus]) -> Answer:
    credential = await request.services.statuses.change(
        request.principal, path_id(credential_id), data.status, data.reason, once=request.once
    )
    return _status(request, credential)


def _status(request: Call, credential: Credential) -> Answer:
    return json_answer(credential_item(request, credential))


async def _all_changed_before(request: Call, done: IdempotentRequest) -> Answer:
    return _all_statuses(request, await request.services.many_statuses.done(done))


@post(
    "/v3/credentials/status",
    summary="Revoke, suspend or reinstate up to 1,000 credentials: all or none, or each on its own",
    operation_class=described(query=ATOMIC, headers=IDEMPOTENCY_KEY),
    status_code=200,
    **requires(Scope.CREDENTIALS_STATUS),
    tags=_TAGS,
    responses=answers(ChangedCredentials, guarded=True, writes=True, also=_CONFLICTS),
)
@idempotent(_all_changed_before)
async def change_statuses(request: Call, data: JSONBody[NewStatuses]) -> Answer:
    atomic, service = is_atomic(request), request.services.many_statuses
    return _all_statuses(request, await service.change(request.principal, data, atomic=atomic, once=request.once))


def _all_statuses(request: Call, outcomes: Sequence[Outcome]) -> Answer:
    return itemised(request, (_item(request, number, outcome) for number, outcome in enumerate(outcomes)))


def _item(request: Call, number: int, outcome: Outcome) -> CredentialItem | LapelError:
    if isinstance(outcome, Credential):
        return credential_item(request, outcome)
    # A pointer to the id in the body makes this a 422, as for any other wrong member.
    return error_at(f"/ids/{number}", outcome) if isinstance(outcome, InvalidInput) else outcome


@post(
    "/v3/credentials/{credential_id:str}/replace",
    summary="Correct a credential: issue another in its place and revoke it, both or neither",
    operation_class=described(headers=IDEMPOTENCY_KEY),
    **requires(Scope.CREDENTIALS_ISSUE, Scope.CREDENTIALS_STATUS),
    tags=_TAGS,
    responses=ISSUED | {409: answers(also=_CONFLICTS)[409]},
)
@idempotent(issued_before)
async def replace_credential(request: Call, credential_id: FromPath[str], data: JSONBody[Replacement]) -> Answer:
    service = request.services.replacing
    return issued(request, await service.replace(request.principal, path_id(credential_id), data, once=request.once))


HANDLERS = (change_credential_status, change_statuses, replace_credential)
"""The routes of this file."""
