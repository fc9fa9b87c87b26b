"""``/v3/achievements``: define, publish and change achievements."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from litestar import delete, get, patch, post, put
from litestar.params import FromPath, JSONBody
from msgspec import json

from lapel.credentials.baking.carrier import InvalidImage
from lapel.domain.access import Scope
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, id_of
from lapel.errors import InUse, NotFound
from lapel.http.answer import Answer
from lapel.http.auth import requires
from lapel.http.call import Call, path_id
from lapel.http.documents import (
    FIVE_MINUTES,
    JSON_LD,
    changed,
    created,
    document_response,
    etag_of,
    expected_version,
    page_response,
)
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.negotiation import HTML, choose
from lapel.http.openapi.operations import BY_NAME, IF_MATCH, PAGED, answer_of, answers, described
from lapel.http.paging import issuer_parameter, list_response, page_request, text_parameter
from lapel.http.routes.images import IMAGES, achievement_image
from lapel.services.answers import AchievementItem, AchievementPage
from lapel.services.documents import AchievementDocument
from lapel.services.requests import AchievementChanges, NewAchievement
from lapel.services.svg_safety import UnsafeSvg

__all__ = ["HANDLERS", "achievement_item"]

_TAGS = ["Achievements"]
_MAX_NAMED = 20
_OF_VERSIONS = {"version": "Which version; the newest by default."}
_BAD_IMAGE = (InvalidImage, UnsafeSvg)


@post(
    "/v3/achievements",
    summary="Define an achievement",
    operation_class=described(headers=IDEMPOTENCY_KEY),
    **requires(Scope.ACHIEVEMENTS_WRITE),
    tags=_TAGS,
    responses=answers(answer_of(AchievementDocument, status=201, headers=("ETag",)), guarded=True, writes=True),
)
@idempotent(lambda request, done: _created(request, done.entity_id))
async def create_achievement(request: Call, data: JSONBody[NewAchievement]) -> Answer:
    achievement = await request.services.achievements.create(request.principal, data, request.once)
    return await _created(request, achievement.id)


async def _created(request: Call, achievement_id: UUID) -> Answer:
    return created(
        json.encode(await request.services.achievements.document(achievement_id, version=1)),
        location=request.services.addresses.achievement(achievement_id),
        media_type=JSON_LD[1],
        version=1,
    )


@get(
    "/v3/achievements",
    summary="The organisation's achievements, newest first; with `name`, in alphabetical order",
    operation_class=described(query={**PAGED, "issuer": "Only this issuer's: UUID, URN, URL or DID.", **BY_NAME}),
    **requires(Scope.READ),
    tags=_TAGS,
    responses=answers(AchievementPage, guarded=True),
)
async def list_achievements(request: Call) -> Answer:
    paging = page_request(request, "issuer", "name")
    page = await request.services.achievements.page(
        request.principal,
        issuer_id=await issuer_parameter(request),
        name=text_parameter(request, "name"),
        before=paging.before,
        key=paging.key,
        limit=paging.limit,
    )
    return await list_response(
        request,
        page,
        path="/v3/achievements",
        show=lambda achievement: achievement_item(achievement, request.services.addresses),
        limit=paging.limit,
        keep=("issuer", "name"),
    )


@get(
    "/v3/achievements/{achievement_id:str}",
    summary="The public achievement, or a page for people, by Accept",
    operation_class=described(query=_OF_VERSIONS),
    tags=_TAGS,
    responses=answers(answer_of(AchievementDocument, media_type=(*JSON_LD, HTML), cacheable=True), also=(406,)),
)
async def get_achievement(request: Call, achievement_id: FromPath[str]) -> Answer:
    achievement = await request.services.achievements.get(path_id(achievement_id), version=_version(request))
    document = await request.services.achievements.document(achievement.id, version=achievement.version)
    if choose(request.header_list(b"accept"), (*JSON_LD, HTML)) == HTML:
        issuer = await request.services.issuers.get(achievement.issuer_id)
        newest = (await request.services.achievements.get(achievement.id)).version
        names = await _names_of_related(request, document)
        page = request.services.pages.achievement(
            achievement, document, issuer_name=issuer.name, newest=newest, names=names
        )
        return page_response(request, page)
    return document_response(request, document, cache_control=FIVE_MINUTES, version=achievement.version)


async def _names_of_related(request: Call, document: JsonObject) -> dict[str, str]:
    """Return the names of those of the first related achievements that this server publishes, by URL."""
    names = {}
    for item in as_list(document.get("related"))[:_MAX_NAMED]:
        url = id_of(item) or ""
        own_id = request.services.addresses.own_id(url, collection="/v3/achievements")
        if own_id != url:
            with suppress(NotFound):
                names[url] = (await request.services.achievements.get(path_id(own_id))).name
    return names


@patch(
    "/v3/achievements/{achievement_id:str}",
    summary="Change an achievement (RFC 7396): a new version; If-Match guards against lost updates",
    operation_class=described(headers=IF_MATCH),
    **requires(Scope.ACHIEVEMENTS_WRITE),
    tags=_TAGS,
    responses=answers(answer_of(AchievementDocument, etag=True), guarded=True, writes=True),
)
async def change_achievement(
    request: Call, achievement_id: FromPath[str], data: JSONBody[AchievementChanges]
) -> Answer:
    uuid = path_id(achievement_id)
    achievement = await request.services.achievements.change(
        request.principal, uuid, data, expected_version=await _expected(request, uuid)
    )
    return await _changed(request, achievement)


@delete(
    "/v3/achievements/{achievement_id:str}",
    summary="Remove an achievement that has not been awarded, with all its versions",
    operation_class=described(headers=IF_MATCH),
    **requires(Scope.ACHIEVEMENTS_WRITE),
    tags=_TAGS,
    responses=answers(answer_of(None, status=204), guarded=True, also=(409, InUse, 412)),
)
async def delete_achievement(request: Call, achievement_id: FromPath[str]) -> None:
    uuid = path_id(achievement_id)
    await request.services.achievements.delete(request.principal, uuid, expected_version=await _expected(request, uuid))


@get(
    "/v3/achievements/{achievement_id:str}/image",
    summary="The achievement's image, without any credential in it",
    operation_class=described(query=_OF_VERSIONS),
    tags=_TAGS,
    responses=answers(answer_of(bytes, media_type=IMAGES, cacheable=True)),
)
async def get_achievement_image(request: Call, achievement_id: FromPath[str]) -> Answer:
    return await achievement_image(request, path_id(achievement_id), version=_version(request))


@put(
    "/v3/achievements/{achievement_id:str}/image",
    summary="Set the achievement's image: the body is a PNG or an SVG",
    operation_class=described(headers=IF_MATCH, body=IMAGES),
    **requires(Scope.ACHIEVEMENTS_WRITE),
    tags=_TAGS,
    responses=answers(answer_of(AchievementDocument, etag=True), guarded=True, writes=True, also=_BAD_IMAGE),
)
async def put_achievement_image(request: Call, achievement_id: FromPath[str]) -> Answer:
    media_type = request.content_type[0].lower()
    if media_type not in (*IMAGES, "application/octet-stream", ""):
        raise UnsupportedMediaType(hint="Send image/png or image/svg+xml.")
    uuid = path_id(achievement_id)
    achievement = await request.services.achievements.set_image(
        request.principal,
        uuid,
        await request.body(),
        expected_version=await _expected(request, uuid, of_image=True),
    )
    return await _changed(request, achievement)


async def _changed(request: Call, achievement: Achievement) -> Answer:
    content = json.encode(await request.services.achievements.document(achievement.id))
    return changed(content, version=achievement.version)


async def _expected(request: Call, achievement_id: UUID, *, of_image: bool = False) -> int | None:
    """Return the version that If-Match names, by the achievement's ETag or, for a new image, that of its image."""

    async def current() -> tuple[int, set[str]]:
        achievement = await request.services.achievements.get(achievement_id)
        content = json.encode(await request.services.achievements.document(achievement_id))
        tags = {etag_of(content, version=achievement.version)}
        if of_image:
            tags.add(etag_of((await request.services.images.image_of(achievement)).content))
        return achievement.version, tags

    return await expected_version(request, current)


def _version(request: Call) -> int | None:
    text = request.query_params.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
        raise MalformedRequest(f"version must be a whole number, not {text[:40]!r}.")
    return int(text)


def achievement_item(achievement: Achievement, addresses: Addresses) -> AchievementItem:
    """Return the achievement as lists show it."""
    return AchievementItem(
        id=addresses.achievement(achievement.id),
        issuer=addresses.issuer(achievement.issuer_id),
        version=achievement.version,
        name=achievement.name,
        description=achievement.description,
        image=addresses.achievement_image(achievement.id),
        created_at=achievement.created_at,
        updated_at=achievement.updated_at,
        achievement_type=achievement.achievement_type,
        tag=achievement.tags,
        suspendable=achievement.suspendable,
    )


HANDLERS = (
    create_achievement,
    list_achievements,
    get_achievement,
    change_achievement,
    delete_achievement,
    get_achievement_image,
    put_achievement_image,
)
"""The routes of this file."""
