"""What becomes of issued credentials: revoked, suspended, reinstated, replaced."""

from __future__ import annotations

from litestar import post
from litestar.params import FromPath, JSONBody
from msgspec import Struct, json

from lapel.domain.credential import Credential
from lapel.http.answer import Answer
from lapel.http.auth import SECURITY, authenticated
from lapel.http.call import Call, path_id
from lapel.http.documents import created
from lapel.http.itemised import ATOMIC, FailedItem, is_atomic, itemised
from lapel.http.openapi import answers, described
from lapel.http.routes.credential_lists import CredentialItem, credential_item
from lapel.http.routes.credentials import media_type_of
from lapel.services.requests import NewStatus, NewStatuses, Replacement

__all__ = ["HANDLERS", "ChangedCredentials"]

_TAGS = ["Credentials"]


class ChangedCredentials(Struct):
    """What became of each id, in order. ``failed`` is how many could not be changed."""

    items: list[CredentialItem | FailedItem]
    failed: int


@post(
    "/v3/credentials/{credential_id:str}/status",
    summary="Revoke, suspend or reinstate a credential",
    status_code=200,
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(CredentialItem, guarded=True, writes=True),
)
async def change_credential_status(request: Call, credential_id: FromPath[str], data: JSONBody[NewStatus]) -> Answer:
    credential = await request.services.statuses.change(
        request.principal, path_id(credential_id), data.status, data.reason
    )
    return Answer(
        json.encode(credential_item(request, credential)),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


@post(
    "/v3/credentials/status",
    summary="Revoke, suspend or reinstate up to 1,000 credentials: all or nothing, or each for itself",
    operation_class=described(query=ATOMIC),
    status_code=200,
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(ChangedCredentials, guarded=True, writes=True),
)
async def change_statuses(request: Call, data: JSONBody[NewStatuses]) -> Answer:
    outcomes = await request.services.many_statuses.change(request.principal, data, atomic=is_atomic(request))
    return itemised(
        request,
        (credential_item(request, each) if isinstance(each, Credential) else each for each in outcomes),
    )


@post(
    "/v3/credentials/{credential_id:str}/replace",
    summary="Correct a credential: issue another in its place and revoke it, both or neither",
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(status=201, media_type="application/vc", guarded=True, writes=True),
)
async def replace_credential(request: Call, credential_id: FromPath[str], data: JSONBody[Replacement]) -> Answer:
    credential = await request.services.replacing.replace(request.principal, path_id(credential_id), data)
    return created(
        credential.signed,
        location=request.services.addresses.credential(credential.id),
        media_type=media_type_of(credential),
    )


HANDLERS = (change_credential_status, change_statuses, replace_credential)
"""The routes of this file."""
