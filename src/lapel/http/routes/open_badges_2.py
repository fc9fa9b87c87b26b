"""``/v2``: the same records as hosted Open Badges 2.0."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath
from msgspec import json

from lapel.credentials.jose import ob2_jws
from lapel.errors import TooLarge
from lapel.http.answer import PUBLIC, Answer, StreamedAnswer
from lapel.http.call import Call, path_id, path_issuer
from lapel.http.documents import FIVE_MINUTES, JSON_LD, document_response, public_response
from lapel.http.fast_path import FAST
from lapel.http.negotiation import choose
from lapel.http.openapi.operations import answer_of, answers, choice, described
from lapel.http.problems import PROBLEM_MEDIA_TYPE
from lapel.http.routes.images import IMAGES, achievement_image, image_response
from lapel.http.signed_media_types import chosen_media_type
from lapel.openbadges.v2 import NoVersion2Form
from lapel.services.answers import ProblemDocument
from lapel.services.documents import LinkedDocument, RevokedAssertion
from lapel.services.renditions import AssertionRevoked

__all__ = ["HANDLERS"]

_TAGS = ["Open Badges 2.0"]
# An assertion's answer says whether the badge has been revoked, so a cached one must be revalidated each time.
_REVALIDATE = "no-cache"
_MEDIA_TYPES = (*JSON_LD, ob2_jws.MEDIA_TYPE, "application/jwt", "text/plain")
_FORMATS = {"json": "application/json", "jws": "text/plain"}
_ANSWERS = answers(answer_of(LinkedDocument, media_type=JSON_LD, cacheable=True), also=(406, NoVersion2Form))
_GONE = answers(
    answer_of(
        RevokedAssertion,
        status=410,
        media_type=JSON_LD[0],
        description="It is revoked, or suspended: the assertion's id, `revoked`, and the reason. Or it is erased: a "
        "problem document, whose code is `credential_erased`.",
        alternatives={PROBLEM_MEDIA_TYPE: ProblemDocument},
    ),
    usual=False,
)


@get("/v2/issuers/{issuer_id:str}", summary="Profile", tags=_TAGS, responses=_ANSWERS)
async def v2_issuer(request: Call, issuer_id: FromPath[str]) -> Answer:
    document = await request.services.renditions.v2_issuer(await path_issuer(request, issuer_id))
    return document_response(request, document, cache_control=FIVE_MINUTES)


@get(
    "/v2/issuers/{issuer_id:str}/keys/{key_id:str}",
    summary="CryptographicKey",
    tags=_TAGS,
    responses=_ANSWERS,
)
async def v2_key(request: Call, issuer_id: FromPath[str], key_id: FromPath[str]) -> Answer:
    document = await request.services.renditions.v2_key(await path_issuer(request, issuer_id), path_id(key_id))
    return document_response(request, document, cache_control=FIVE_MINUTES)


@get("/v2/issuers/{issuer_id:str}/revocations", summary="RevocationList", tags=_TAGS, responses=_ANSWERS)
async def v2_revocations(request: Call, issuer_id: FromPath[str]) -> Answer:
    issuer, renditions = await path_issuer(request, issuer_id), request.services.renditions
    try:
        document = await renditions.v2_revocations(issuer)
    except TooLarge:
        return StreamedAnswer(
            renditions.v2_revocations_in_parts(issuer),
            media_type=choose(request.header_list(b"accept"), JSON_LD),
            headers={"cache-control": _REVALIDATE, **PUBLIC, "vary": "Accept"},
        )
    return document_response(request, document, cache_control=_REVALIDATE)


@get("/v2/badge-classes/{achievement_id:str}", summary="BadgeClass", tags=_TAGS, responses=_ANSWERS)
async def v2_badge_class(request: Call, achievement_id: FromPath[str]) -> Answer:
    document = await request.services.renditions.v2_badge_class(path_id(achievement_id))
    return document_response(request, document, cache_control=FIVE_MINUTES)


@get(
    "/v2/assertions/{credential_id:str}",
    summary="Assertion or Endorsement, as JSON or as a JWS, by Accept; 410 once revoked, and while suspended",
    operation_class=described(query={"format": choice("Which form, instead of Accept.", "json", "jws")}),
    opt=FAST,
    tags=_TAGS,
    responses=answers(answer_of(LinkedDocument, media_type=_MEDIA_TYPES, cacheable=True), also=(406, NoVersion2Form))
    | _GONE,
)
async def v2_assertion(request: Call, credential_id: FromPath[str]) -> Answer:
    uuid, media_type = path_id(credential_id), chosen_media_type(request, _MEDIA_TYPES, formats=_FORMATS)
    try:
        if media_type in JSON_LD:
            content = json.encode(await request.services.renditions.v2_assertion(uuid))
        else:
            content = (await request.services.signed_assertions.get(uuid)).encode("ascii")
    except AssertionRevoked as revoked:
        return _gone(revoked)
    return public_response(
        request, content, media_type=media_type, cache_control=_REVALIDATE, headers={"vary": "Accept"}
    )


@get(
    "/v2/assertions/{credential_id:str}/image",
    summary="The badge image with the assertion baked in",
    tags=_TAGS,
    responses=answers(answer_of(bytes, media_type=IMAGES, cacheable=True), also=(NoVersion2Form,)) | _GONE,
)
async def v2_assertion_image(request: Call, credential_id: FromPath[str]) -> Answer:
    uuid = path_id(credential_id)
    try:
        baked = await request.services.renditions.v2_baked_image(uuid)
    except AssertionRevoked as revoked:
        return _gone(revoked)
    return image_response(
        request, baked.content, media_type=baked.media_type, cache_control=_REVALIDATE, file_name=f"badge-{uuid}"
    )


@get(
    "/v2/badge-classes/{achievement_id:str}/image",
    summary="The badge class's image",
    tags=_TAGS,
    responses=answers(answer_of(bytes, media_type=IMAGES, cacheable=True), also=(NoVersion2Form,)),
)
async def v2_badge_class_image(request: Call, achievement_id: FromPath[str]) -> Answer:
    return await achievement_image(request, path_id(achievement_id))


def _gone(revoked: AssertionRevoked) -> Answer:
    """Answer 410 with the OB 2.0 document that says why (OB 2.0, Assertion: ``revoked``), not a problem document."""
    return Answer(
        json.encode(revoked.document),
        status_code=410,
        media_type=JSON_LD[0],
        headers={"cache-control": _REVALIDATE, **PUBLIC},
    )


HANDLERS = (
    v2_issuer,
    v2_key,
    v2_revocations,
    v2_badge_class,
    v2_badge_class_image,
    v2_assertion,
    v2_assertion_image,
)
"""The routes of this file."""
