"""``/v3/api-keys``: who may use the management interface. A key itself is shown once, when it is made."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct, json

from lapel.domain.access import ApiKey, Role, Scope
from lapel.domain.addresses import Addresses
from lapel.http.answer import Answer
from lapel.http.auth import SECURITY, authenticated
from lapel.http.call import Call, path_id
from lapel.http.documents import created
from lapel.http.openapi import PAGED, answers, described
from lapel.http.paging import list_response, page_request
from lapel.openbadges.shapes import Uri
from lapel.services.access.api_keys import CreatedApiKey
from lapel.services.requests import NewApiKey

__all__ = ["HANDLERS", "NO_STORE", "ApiKeyItem", "ApiKeyPage", "CreatedApiKeyItem"]

_TAGS = ["API keys"]
NO_STORE = {"cache-control": "no-store"}


class ApiKeyItem(Struct, rename="camel", omit_defaults=True):
    """An API key, without the key itself."""

    id: Uri
    name: str
    role: Role
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @classmethod
    def of(cls, key: ApiKey, addresses: Addresses) -> Self:
        """The key as it is shown."""
        return cls(
            id=addresses.api_key(key.id),
            name=key.name,
            role=key.role,
            scopes=list(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )


class CreatedApiKeyItem(ApiKeyItem, kw_only=True):
    """A new API key. ``key`` is what its holder sends; nobody can show it again."""

    key: str

    @classmethod
    def made(cls, new: CreatedApiKey, addresses: Addresses) -> Self:
        """The new key, itself in it."""
        shown = ApiKeyItem.of(new.key, addresses)
        return cls(key=new.secret, **{name: getattr(shown, name) for name in ApiKeyItem.__struct_fields__})


class ApiKeyPage(Struct):
    """A page of API keys."""

    items: list[ApiKeyItem]
    next: Uri | None


@post(
    "/v3/api-keys",
    summary="Make an API key, which may do nothing that you may not; it is shown this once",
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(CreatedApiKeyItem, status=201, guarded=True, writes=True),
)
async def create_api_key(request: Call, data: JSONBody[NewApiKey]) -> Answer:
    new = await request.services.api_keys.create(request.principal, data)
    item = CreatedApiKeyItem.made(new, request.services.addresses)
    return created(json.encode(item), location=item.id)


@get(
    "/v3/api-keys",
    summary="The organisation's API keys, newest first, revoked ones too",
    operation_class=described(query=PAGED),
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(ApiKeyPage, guarded=True),
)
async def list_api_keys(request: Call) -> Answer:
    wanted = page_request(request)
    page = await request.services.api_keys.page(request.principal, before=wanted.before, limit=wanted.limit)
    addresses = request.services.addresses
    return list_response(
        request, page, path="/v3/api-keys", show=lambda key: ApiKeyItem.of(key, addresses), limit=wanted.limit
    )


@get(
    "/v3/api-keys/{key_id:str}",
    summary="One API key",
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(ApiKeyItem, guarded=True),
)
async def get_api_key(request: Call, key_id: FromPath[str]) -> Answer:
    return _answer(request, await request.services.api_keys.own(request.principal, path_id(key_id)))


@delete(
    "/v3/api-keys/{key_id:str}",
    summary="Revoke an API key: from now on it opens nothing; it stays in the list",
    status_code=200,
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(ApiKeyItem, guarded=True, also=(409,)),
)
async def revoke_api_key(request: Call, key_id: FromPath[str]) -> Answer:
    return _answer(request, await request.services.api_keys.revoke(request.principal, path_id(key_id)))


def _answer(request: Call, key: ApiKey) -> Answer:
    content = json.encode(ApiKeyItem.of(key, request.services.addresses))
    return Answer(content, media_type="application/json", headers=NO_STORE)


HANDLERS = (create_api_key, list_api_keys, get_api_key, revoke_api_key)
"""The routes of this file."""
