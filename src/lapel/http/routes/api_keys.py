"""``/v3/api-keys``: the keys for the management interface. A key's secret is shown once, when it is created."""

from __future__ import annotations

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import json

from lapel.domain.access import ApiKey, Scope
from lapel.domain.addresses import Addresses
from lapel.http.answer import Answer, json_answer
from lapel.http.auth import requires
from lapel.http.call import Call, path_id
from lapel.http.documents import created
from lapel.http.openapi.operations import PAGED, answer_of, answers, described
from lapel.http.paging import list_response, page_request
from lapel.services.access.api_keys import CreatedApiKey, LastOwnerKey
from lapel.services.answers import ApiKeyItem, ApiKeyPage, CreatedApiKeyItem
from lapel.services.requests import NewApiKey

__all__ = ["HANDLERS", "created_api_key_item"]

_TAGS = ["API keys"]


@post(
    "/v3/api-keys",
    summary="Create an API key, with no more rights than your own; it is shown only this once",
    **requires(Scope.KEYS_ADMIN),
    tags=_TAGS,
    responses=answers(answer_of(CreatedApiKeyItem, status=201), guarded=True, writes=True),
)
async def create_api_key(request: Call, data: JSONBody[NewApiKey]) -> Answer:
    new = await request.services.api_keys.create(request.principal, data)
    item = created_api_key_item(new, request.services.addresses)
    return created(json.encode(item), location=item.id)


@get(
    "/v3/api-keys",
    summary="The organisation's API keys, newest first, including revoked ones",
    operation_class=described(query=PAGED),
    **requires(Scope.KEYS_ADMIN),
    tags=_TAGS,
    responses=answers(ApiKeyPage, guarded=True),
)
async def list_api_keys(request: Call) -> Answer:
    paging = page_request(request)
    page = await request.services.api_keys.page(request.principal, before=paging.before, limit=paging.limit)
    addresses = request.services.addresses
    return await list_response(
        request, page, path="/v3/api-keys", show=lambda key: api_key_item(key, addresses), limit=paging.limit
    )


@get(
    "/v3/api-keys/{key_id:str}",
    summary="One API key",
    **requires(Scope.KEYS_ADMIN),
    tags=_TAGS,
    responses=answers(ApiKeyItem, guarded=True),
)
async def get_api_key(request: Call, key_id: FromPath[str]) -> Answer:
    return _answer(request, await request.services.api_keys.own(request.principal, path_id(key_id)))


@delete(
    "/v3/api-keys/{key_id:str}",
    summary="Revoke an API key, at once and for good; it stays in the list",
    status_code=200,
    **requires(Scope.KEYS_ADMIN),
    tags=_TAGS,
    responses=answers(ApiKeyItem, guarded=True, also=(LastOwnerKey,)),
)
async def revoke_api_key(request: Call, key_id: FromPath[str]) -> Answer:
    return _answer(request, await request.services.api_keys.revoke(request.principal, path_id(key_id)))


def api_key_item(key: ApiKey, addresses: Addresses) -> ApiKeyItem:
    """Return the key as it is shown, without its secret."""
    return ApiKeyItem(
        id=addresses.api_key(key.id),
        name=key.name,
        role=key.role,
        scopes=list(key.scopes),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


def created_api_key_item(new: CreatedApiKey, addresses: Addresses) -> CreatedApiKeyItem:
    """Return the new key as it is shown once, with its secret."""
    item = api_key_item(new.key, addresses)
    return CreatedApiKeyItem(key=new.secret, **{name: getattr(item, name) for name in ApiKeyItem.__struct_fields__})


def _answer(request: Call, key: ApiKey) -> Answer:
    return json_answer(api_key_item(key, request.services.addresses))


HANDLERS = (create_api_key, list_api_keys, get_api_key, revoke_api_key)
"""The routes of this file."""
