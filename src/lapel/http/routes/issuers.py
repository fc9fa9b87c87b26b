"""``/v3/issuers``: who awards."""

from __future__ import annotations

from datetime import datetime

from litestar import get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct, json

from lapel.domain.issuer import IdentityMethod, Issuer
from lapel.http.answer import PUBLIC, Answer
from lapel.http.auth import SECURITY, authenticated
from lapel.http.call import Call, path_id
from lapel.http.documents import JSON_LD, created, document_response, etag_of, expected_version
from lapel.http.openapi import IF_MATCH, PAGED, answers, described
from lapel.http.paging import list_response, page_request
from lapel.http.routes.achievements import AchievementItem, AchievementPage
from lapel.openbadges.shapes import Email, Uri
from lapel.services.requests import IssuerChanges, NewIssuer

__all__ = ["HANDLERS", "IssuerItem", "IssuerPage"]

_CACHE = "public, max-age=300"
_TAGS = ["Issuers"]


class IssuerItem(Struct, rename="camel", omit_defaults=True):
    """An issuer in a list."""

    id: Uri
    name: str
    identity: IdentityMethod
    version: int
    created_at: datetime
    updated_at: datetime
    did: str | None = None
    url: Uri | None = None
    email: Email | None = None


class IssuerPage(Struct):
    """A page of issuers."""

    items: list[IssuerItem]
    next: Uri | None


@post(
    "/v3/issuers",
    summary="Create an issuer",
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(status=201, guarded=True, writes=True),
)
async def create_issuer(request: Call, data: JSONBody[NewIssuer]) -> Answer:
    issuer = await request.services.issuers.create(request.principal, data)
    return created(
        json.encode(await request.services.issuers.document(issuer.id)),
        location=request.services.addresses.issuer(issuer.id),
        media_type=JSON_LD[1],
    )


@get(
    "/v3/issuers",
    summary="The organisation's issuers, newest first",
    operation_class=described(query=PAGED),
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(IssuerPage, guarded=True),
)
async def list_issuers(request: Call) -> Answer:
    wanted = page_request(request)
    page = await request.services.issuers.page(request.principal, before=wanted.before, limit=wanted.limit)
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

    return list_response(request, page, path="/v3/issuers", show=show, limit=wanted.limit)


@get(
    "/v3/issuers/{issuer_id:str}",
    summary="The public issuer: Profile and controller document",
    tags=_TAGS,
    responses=answers(media_type="application/ld+json", also=(406,)),
)
async def get_issuer(request: Call, issuer_id: FromPath[str]) -> Answer:
    issuer = await request.services.issuers.get(path_id(issuer_id))
    document = await request.services.issuers.document(issuer.id)
    return document_response(request, document, cache_control=_CACHE, version=issuer.version)


@patch(
    "/v3/issuers/{issuer_id:str}",
    summary="Change an issuer (RFC 7396); If-Match guards against lost updates",
    operation_class=described(headers=IF_MATCH),
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(guarded=True, writes=True),
)
async def change_issuer(request: Call, issuer_id: FromPath[str], data: JSONBody[IssuerChanges]) -> Answer:
    issuer = await request.services.issuers.change(
        request.principal, path_id(issuer_id), data, expected_version=expected_version(request)
    )
    content = json.encode(await request.services.issuers.document(issuer.id))
    return Answer(
        content,
        media_type=JSON_LD[1],
        headers={"etag": etag_of(content, version=issuer.version), "cache-control": "no-store"},
    )


@get(
    "/v3/issuers/{issuer_id:str}/achievements",
    summary="What an issuer awards, newest first",
    operation_class=described(query=PAGED),
    tags=_TAGS,
    responses=answers(AchievementPage),
)
async def list_issuer_achievements(request: Call, issuer_id: FromPath[str]) -> Answer:
    wanted = page_request(request)
    issuer = path_id(issuer_id)
    page = await request.services.achievements.page_of_issuer(issuer, before=wanted.before, limit=wanted.limit)
    return list_response(
        request,
        page,
        path=f"/v3/issuers/{issuer}/achievements",
        show=lambda achievement: AchievementItem.of(achievement, request.services.addresses),
        limit=wanted.limit,
        headers={"cache-control": "public, max-age=60", **PUBLIC},
    )


@get(
    "/v3/issuers/{issuer_id:str}/did.json",
    summary="The issuer's DID document",
    tags=_TAGS,
    responses=answers(media_type="application/did+json", also=(406,)),
)
async def issuer_did(request: Call, issuer_id: FromPath[str]) -> Answer:
    document = await request.services.issuers.did_document(path_id(issuer_id))
    return document_response(
        request, document, cache_control=_CACHE, available=("application/did+json", *JSON_LD[::-1])
    )


HANDLERS = (
    create_issuer,
    list_issuers,
    get_issuer,
    change_issuer,
    list_issuer_achievements,
    issuer_did,
)
"""The routes of this file."""
