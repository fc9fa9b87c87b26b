"""``/v3/achievements``: what is earned."""

from __future__ import annotations

from litestar import get, patch, post, put
from litestar.params import FromPath, JSONBody
from msgspec import json

from lapel.credentials.baking.carrier import InvalidImage
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.errors import InvalidInput
from lapel.http.answer import Answer
from lapel.http.auth import SECURITY, authenticated
from lapel.http.call import Call, path_id
from lapel.http.documents import JSON_LD, created, document_response, etag_of, expected_version
from lapel.http.errors import MalformedRequest, UnsupportedMediaType
from lapel.http.openapi import IF_MATCH, PAGED, answers, described
from lapel.http.paging import id_parameter, list_response, page_request
from lapel.http.routes.images import IMAGES, achievement_image
from lapel.services.answers import AchievementDocument, AchievementItem, AchievementPage
from lapel.services.requests import AchievementChanges, NewAchievement
from lapel.services.svg_safety import UnsafeSvg

__all__ = ["HANDLERS", "achievement_item"]

_CACHE = "public, max-age=300"
_TAGS = ["Achievements"]
_BAD_IMAGE = ((400, InvalidInput), InvalidImage, UnsafeSvg)


@post(
    "/v3/achievements",
    summary="Define an achievement",
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(AchievementDocument, status=201, guarded=True, writes=True),
)
async def create_achievement(request: Call, data: JSONBody[NewAchievement]) -> Answer:
    achievement = await request.services.achievements.create(request.principal, data)
    return created(
        json.encode(await request.services.achievements.document(achievement.id)),
        location=request.services.addresses.achievement(achievement.id),
        media_type=JSON_LD[1],
    )


@get(
    "/v3/achievements",
    summary="The organisation's achievements, newest first",
    operation_class=described(query={**PAGED, "issuer": "Only this issuer's: UUID, URN or URL."}),
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(AchievementPage, guarded=True),
)
async def list_achievements(request: Call) -> Answer:
    wanted = page_request(request, "issuer")
    page = await request.services.achievements.page(
        request.principal,
        issuer_id=id_parameter(request, "issuer", collection="/v3/issuers"),
        before=wanted.before,
        limit=wanted.limit,
    )
    return list_response(
        request,
        page,
        path="/v3/achievements",
        show=lambda achievement: achievement_item(achievement, request.services.addresses),
        limit=wanted.limit,
        keep=("issuer",),
    )


@get(
    "/v3/achievements/{achievement_id:str}",
    summary="The public achievement",
    operation_class=described(query={"version": "Which version; the newest unless given."}),
    tags=_TAGS,
    responses=answers(AchievementDocument, media_type=JSON_LD, kept=True, also=(406,)),
)
async def get_achievement(request: Call, achievement_id: FromPath[str]) -> Answer:
    achievement = await request.services.achievements.get(path_id(achievement_id), version=_version(request))
    document = await request.services.achievements.document(achievement.id, version=achievement.version)
    return document_response(request, document, cache_control=_CACHE, version=achievement.version)


@patch(
    "/v3/achievements/{achievement_id:str}",
    summary="Change an achievement (RFC 7396): a new version; If-Match guards against lost updates",
    operation_class=described(headers=IF_MATCH),
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(AchievementDocument, guarded=True, writes=True, etag=True),
)
async def change_achievement(
    request: Call, achievement_id: FromPath[str], data: JSONBody[AchievementChanges]
) -> Answer:
    achievement = await request.services.achievements.change(
        request.principal, path_id(achievement_id), data, expected_version=expected_version(request)
    )
    return await _changed(request, achievement)


@get(
    "/v3/achievements/{achievement_id:str}/image",
    summary="The achievement's image, without any credential in it",
    tags=_TAGS,
    responses=answers(bytes, media_type=IMAGES, kept=True),
)
async def get_achievement_image(request: Call, achievement_id: FromPath[str]) -> Answer:
    return await achievement_image(request, path_id(achievement_id))


@put(
    "/v3/achievements/{achievement_id:str}/image",
    summary="Give the achievement an image: the body is a PNG or an SVG",
    operation_class=described(headers=IF_MATCH, body=IMAGES),
    before_request=authenticated,
    security=SECURITY,
    tags=_TAGS,
    responses=answers(AchievementDocument, guarded=True, writes=True, etag=True, also=_BAD_IMAGE),
)
async def put_achievement_image(request: Call, achievement_id: FromPath[str]) -> Answer:
    media_type = request.content_type[0].lower()
    if media_type not in (*IMAGES, "application/octet-stream", ""):
        raise UnsupportedMediaType(hint="Send image/png or image/svg+xml.")
    achievement = await request.services.achievements.set_image(
        request.principal,
        path_id(achievement_id),
        await request.body(),
        expected_version=expected_version(request),
    )
    return await _changed(request, achievement)


async def _changed(request: Call, achievement: Achievement) -> Answer:
    content = json.encode(await request.services.achievements.document(achievement.id))
    return Answer(
        content,
        media_type=JSON_LD[1],
        headers={"etag": etag_of(content, version=achievement.version), "cache-control": "no-store"},
    )


def _version(request: Call) -> int | None:
    text = request.query_params.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
        raise MalformedRequest(f"version must be a whole number, not {text[:40]!r}.")
    return int(text)


def achievement_item(achievement: Achievement, addresses: Addresses) -> AchievementItem:
    """The achievement as lists show it."""
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
    get_achievement_image,
    put_achievement_image,
)
"""The routes of this file."""
