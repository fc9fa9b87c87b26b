"""``POST /v2/…``: create records from Open Badges 2.0 documents, and host them."""

from __future__ import annotations

from litestar import post
from litestar.params import JSONBody
from msgspec import json

from lapel.domain.access import Scope
from lapel.domain.credential import CredentialErased
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.json import JsonObject
from lapel.http.answer import Answer
from lapel.http.auth import requires
from lapel.http.call import Call
from lapel.http.documents import JSON_LD, created
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.openapi.operations import answer_of, answers, described
from lapel.http.routes.credentials import CANNOT_SIGN
from lapel.openbadges.v2 import NoVersion2Form
from lapel.openbadges.v2_shapes import Assertion, BadgeClass, Version2Profile
from lapel.services.documents import LinkedDocument
from lapel.services.renditions import AssertionRevoked
from lapel.services.requests import ArbitraryObject

__all__ = ["HANDLERS"]

_TAGS = ["Open Badges 2.0"]
_ANSWERS = answers(
    answer_of(LinkedDocument, status=201, media_type=JSON_LD[0]),
    guarded=True,
    writes=True,
    also=(NoVersion2Form, *CANNOT_SIGN),
)
# With an idempotency key the assertion may have been erased or revoked since it was created.
_GONE = answers(usual=False, also=(CredentialErased, AssertionRevoked))[410]


def _hosted(document: JsonObject) -> Answer:
    return created(json.encode(document), location=str(document["id"]), media_type=JSON_LD[0])


async def _issuer_created_before(request: Call, done: IdempotentRequest) -> Answer:
    return _hosted(await request.services.renditions.v2_issuer(done.entity_id))


@post(
    "/v2/issuers",
    summary="Create an issuer from a Profile",
    operation_class=described(headers=IDEMPOTENCY_KEY, body={"application/json": (Version2Profile,)}),
    **requires(Scope.ISSUERS_WRITE),
    tags=_TAGS,
    responses=_ANSWERS,
)
@idempotent(_issuer_created_before)
async def create_v2_issuer(request: Call, data: JSONBody[ArbitraryObject]) -> Answer:
    issuer = await request.services.open_badges_2.create_issuer(request.principal, data, request.once)
    return _hosted(await request.services.renditions.v2_issuer(issuer.id))


async def _badge_class_created_before(request: Call, done: IdempotentRequest) -> Answer:
    return _hosted(await request.services.renditions.v2_badge_class(done.entity_id))


@post(
    "/v2/badge-classes",
    summary="Define an achievement from a BadgeClass",
    operation_class=described(headers=IDEMPOTENCY_KEY, body={"application/json": (BadgeClass,)}),
    **requires(Scope.ACHIEVEMENTS_WRITE),
    tags=_TAGS,
    responses=_ANSWERS,
)
@idempotent(_badge_class_created_before)
async def create_badge_class(request: Call, data: JSONBody[ArbitraryObject]) -> Answer:
    achievement = await request.services.open_badges_2.create_badge_class(request.principal, data, request.once)
    return _hosted(await request.services.renditions.v2_badge_class(achievement.id))


async def _assertion_created_before(request: Call, done: IdempotentRequest) -> Answer:
    return _hosted(await request.services.renditions.v2_assertion(done.entity_id))


@post(
    "/v2/assertions",
    summary="Award an achievement from an Assertion; it is an Open Badges 3.0 credential as well",
    operation_class=described(headers=IDEMPOTENCY_KEY, body={"application/json": (Assertion,)}),
    **requires(Scope.CREDENTIALS_ISSUE),
    tags=_TAGS,
    responses=_ANSWERS | {410: _GONE},
)
@idempotent(_assertion_created_before)
async def create_assertion(request: Call, data: JSONBody[ArbitraryObject]) -> Answer:
    credential = await request.services.open_badges_2.create_assertion(request.principal, data, request.once)
    return _hosted(await request.services.renditions.v2_assertion(credential.id))


HANDLERS = (create_v2_issuer, create_badge_class, create_assertion)
"""The routes of this file."""
