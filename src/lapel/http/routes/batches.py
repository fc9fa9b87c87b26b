"""``/v3/credentials/batch``: issue up to a thousand credentials in one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

from litestar import post
from msgspec import Meta, Raw, json

from lapel.domain.access import Scope
from lapel.domain.credential import Credential, CredentialFormat
from lapel.domain.idempotency import IdempotentRequest
from lapel.errors import InvalidInput, LapelError
from lapel.http.answer import Answer
from lapel.http.auth import requires
from lapel.http.call import Call
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.itemised import ATOMIC, MAX_BYTES, is_atomic, itemised, read_items, readable
from lapel.http.openapi.operations import answer_of, answers, described
from lapel.http.routes.credentials import CANNOT_SIGN
from lapel.services.answers import IssuedItem, IssuedItems
from lapel.services.issuing.batches import MAX_BATCH_SIZE, shortened
from lapel.services.requests import NewCredential
from lapel.services.stored_outcomes import Outcome

__all__ = ["HANDLERS"]

_MANY = Annotated[list[NewCredential], Meta(min_length=1, max_length=MAX_BATCH_SIZE)]
Items = Mapping[str, NewCredential | InvalidInput]


async def _issued_before(request: Call, done: IdempotentRequest) -> Answer:
    return _answer(request, await _items(request), await request.services.batches.done(done))


@post(
    "/v3/credentials/batch",
    summary="Issue up to 1,000 credentials at once: all or none, or each on its own",
    operation_class=described(query=ATOMIC, headers=IDEMPOTENCY_KEY, body={"application/json": (_MANY,)}),
    request_max_body_size=MAX_BYTES,
    **requires(Scope.CREDENTIALS_ISSUE),
    tags=["Credentials"],
    responses=answers(
        answer_of(IssuedItems, status=201, has_location=False, description="All of them are issued"),
        guarded=True,
        writes=True,
        also=CANNOT_SIGN,
    )
    | answers(
        answer_of(IssuedItems, description="With `atomic=false`: each one is issued, or reports its problem"),
        usual=False,
    ),
)
@idempotent(_issued_before)
async def issue_batch(request: Call) -> Answer:
    atomic, batches = is_atomic(request), request.services.batches
    await request.body()  # before waiting for a turn, so that a slow upload does not occupy one
    async with batches.slot():
        items = await _items(request)
        read = readable(items, atomic=atomic)
        issue = batches.issue if atomic else batches.issue_each
        return _answer(request, items, await issue(request.principal, read, request.once))


async def _items(request: Call) -> Items:
    return await read_items(request, NewCredential, max_items=MAX_BATCH_SIZE)


def _answer(request: Call, items: Items, outcomes: Iterable[Outcome]) -> Answer:
    """Answer with the outcome of each item.

    Args:
        outcomes: the outcomes of the items that could be read, in order.
    """
    remaining = iter(outcomes)
    all_outcomes = (shortened(item) if isinstance(item, InvalidInput) else next(remaining) for item in items.values())
    return itemised(
        request, (_item(request, outcome) for outcome in all_outcomes), status_code=201 if is_atomic(request) else 200
    )


def _item(request: Call, outcome: Outcome) -> IssuedItem | LapelError:
    if isinstance(outcome, LapelError):
        return outcome
    return IssuedItem(id=request.services.addresses.credential(outcome.id), credential=_signed(outcome))


def _signed(credential: Credential) -> Raw:
    is_token = credential.format is CredentialFormat.VC_JWT
    return Raw(json.encode(credential.signed.decode()) if is_token else credential.signed)


HANDLERS = (issue_batch,)
"""The routes of this file."""
