"""``/v3/issuers``: create, publish and change issuers."""

from __future__ import annotations

from uuid import UUID

from litestar import delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import json

from lapel.domain.access import Scope
from lapel.domain.issuer import Issuer
from lapel.errors import InUse
from lapel.http.answer import Answer
from lapel.http.auth import requires
from lapel.http.call import Call, path_issuer
from lapel.http.documents import (
    CONTROLLER_DOCUMENT,
    DID_DOCUMENT,
    FIVE_MINUTES,
    JSON_LD,
    changed,
    created,
    document_response,
    etag_of,
    expected_version,
    page_response,
)
from lapel.http.fast_path import FAST
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.negotiation import HTML, choose
from lapel.http.openapi.operations import BY_NAME, IF_MATCH, PAGED, answer_of, answers, described
from lapel.http.paging import list_response, page_request, text_parameter
from lapel.http.routes.achievements import achievement_item
from lapel.services.answers import AchievementPage, IssuerItem, IssuerPage
from lapel.services.documents import DidDocument, ProfileDocument
from lapel.services.paging import MAX_PAGE_SIZE
from lapel.services.requests import IssuerChanges, NewIssuer

__all__ = ["HANDLERS"]

_TAGS = ["Issuers"]


@post(
    "/v3/issuers",
    summary="Create an issuer",
    operation_class=described(headers=IDEMPOTENCY_KEY),
    **requires(Scope.ISSUERS_WRITE),
    tags=_TAGS,
    responses=answers(answer_of(ProfileDocument, status=201, headers=("ETag",)), guarded=True, writes=True),
)
@idempotent(lambda request, done: _created(request, done.entity_id))
async def create_issuer(request: Call, data: JSONBody[NewIssuer]) -> Answer:
    issuer = await request.services.issuers.create(request.principal, data, request.once)
    return await _created(request, issuer.id)


async def _created(request: Call, issuer_id: UUID) -> Answer:
    issuer = await request.services.issuers.get(issuer_id)
    return created(
        json.encode(await request.services.issuers.document(issuer_id)),
        location=request.services.addresses.issuer(issuer_id),
        media_type=JSON_LD[1],
        version=issuer.version,
    )


@get(
    "/v3/issuers",
    summary="The organisation's issuers, newest first; with `name`, in alphabetical order",
    operation_class=described(query={**PAGED, **BY_NAME}),
    **requires(Scope.READ),
    tags=_TAGS,
    responses=answers(IssuerPage, guarded=True),
)
async def list_issuers(request: Call) -> Answer:
    paging = page_request(request, "name")
    page = await request.services.issuers.page(
        request.principal,
        name=text_parameter(request, "name"),
        before=paging.before,
        key=paging.key,
        limit=paging.limit,
    )
    addresses = request.services.addresses

    def show(issuer: Issuer) -> IssuerItem:
        return IssuerItem(
            id=addresses.issuer(issuer.id),
            name=issuer.name,
            identity=issuer.identity,
            version=issuer.version,
            created_at=issuer.created_at,
            updated_at=issuer.updated_at,
            did=issuer.did,
            url=issuer.url,
            email=issuer.email,
        )

    return await list_response(request, page, path="/v3/issuers", show=show, limit=paging.limit, keep=("name",))


@get(
    "/v3/issuers/{issuer_id:str}",
    summary="The public issuer: Profile and controller document, or a page for people, by Accept",
    opt=FAST,
    tags=_TAGS,
    responses=answers(answer_of(ProfileDocument, media_type=(*CONTROLLER_DOCUMENT, HTML), cacheable=True), also=(406,)),
)
async def get_issuer(request: Call, issuer_id: FromPath[str]) -> Answer:
    issuer = await request.services.issuers.get(await path_issuer(request, issuer_id))
    document = await request.services.issuers.document(issuer.id)
    if choose(request.header_list(b"accept"), (*CONTROLLER_DOCUMENT, HTML)) == HTML:
        newest = await request.services.achievements.page_of_issuer(issuer.id, limit=MAX_PAGE_SIZE)
        more = newest.next is not None
        return page_response(request, request.services.pages.issuer(issuer, document, newest.items, more=more))
    return document_response(
        request, document, cache_control=FIVE_MINUTES, version=issuer.version, available=CONTROLLER_DOCUMENT
    )


@patch(
    "/v3/issuers/{issuer_id:str}",
    summary="Change an issuer (RFC 7396); If-Match guards against lost updates",
    operation_class=described(headers=IF_MATCH),
    **requires(Scope.ISSUERS_WRITE),
    tags=_TAGS,
    responses=answers(answer_of(ProfileDocument, etag=True), guarded=True, writes=True),
)
async def change_issuer(request: Call, issuer_id: FromPath[str], data: JSONBody[IssuerChanges]) -> Answer:
    uuid = await path_issuer(request, issuer_id)
    issuer = await request.services.issuers.change(
        request.principal, uuid, data, expected_version=await _expected(request, uuid)
    )
    return changed(json.encode(await request.services.issuers.document(issuer.id)), version=issuer.version)


@delete(
    "/v3/issuers/{issuer_id:str}",
    summary="Remove an issuer that has no achievements and has issued nothing",
    operation_class=described(headers=IF_MATCH),
    **requires(Scope.ISSUERS_WRITE),
    tags=_TAGS,
    responses=answers(answer_of(None, status=204), guarded=True, also=(409, InUse, 412)),
)
async def delete_issuer(request: Call, issuer_id: FromPath[str]) -> None:
    uuid = await path_issuer(request, issuer_id)
    await request.services.issuers.delete(request.principal, uuid, expected_version=await _expected(request, uuid))


@get(
    "/v3/issuers/{issuer_id:str}/achievements",
    summary="What an issuer awards, newest first",
    operation_class=described(query=PAGED),
    tags=_TAGS,
    responses=answers(answer_of(AchievementPage, cacheable=True)),
)
async def list_issuer_achievements(request: Call, issuer_id: FromPath[str]) -> Answer:
    paging = page_request(request)
    issuer = await path_issuer(request, issuer_id)
    page = await request.services.achievements.page_of_issuer(issuer, before=paging.before, limit=paging.limit)
    return await list_response(
        request,
        page,
        path=f"/v3/issuers/{issuer}/achievements",
        show=lambda achievement: achievement_item(achievement, request.services.addresses),
        limit=paging.limit,
        cache_control="public, max-age=60",
    )


@get(
    "/v3/issuers/{issuer_id:str}/did.json",
    summary="The issuer's DID document",
    tags=_TAGS,
    responses=answers(answer_of(DidDocument, media_type=DID_DOCUMENT, cacheable=True), also=(406,)),
)
async def issuer_did(request: Call, issuer_id: FromPath[str]) -> Answer:
    document = await request.services.issuers.did_document(await path_issuer(request, issuer_id))
    return document_response(request, document, cache_control=FIVE_MINUTES, available=DID_DOCUMENT)


async def _expected(request: Call, issuer_id: UUID) -> int | None:
    """Return the version that If-Match names."""

    async def current() -> tuple[int, set[str]]:
        issuer = await request.services.issuers.get(issuer_id)
        content = json.encode(await request.services.issuers.document(issuer_id))
        return issuer.version, {etag_of(content, version=issuer.version)}

    return await expected_version(request, current)


HANDLERS = (
    create_issuer,
    list_issuers,
    get_issuer,
    change_issuer,
    delete_issuer,
    list_issuer_achievements,
    issuer_did,
)
"""The routes of this file."""
