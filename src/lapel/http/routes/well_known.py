"""``/.well-known``: the default issuer's DID document, and the keys of all issuers."""

from __future__ import annotations

from litestar import get
from msgspec import json

from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.documents import DID_DOCUMENT, FIVE_MINUTES, document_response, public_response
from lapel.http.openapi.operations import answer_of, answers
from lapel.services.documents import DidDocument, JsonWebKeySet

__all__ = ["HANDLERS"]

_TAGS = ["Issuers"]


@get(
    "/.well-known/did.json",
    summary="The default issuer's DID document",
    tags=_TAGS,
    responses=answers(answer_of(DidDocument, media_type=DID_DOCUMENT, cacheable=True), also=(406,)),
)
async def default_did(request: Call) -> Answer:
    document = await request.services.issuers.default_did_document()
    return document_response(request, document, cache_control=FIVE_MINUTES, available=DID_DOCUMENT)


@get(
    "/.well-known/jwks.json",
    summary="The public keys of the default organisation's issuers (RFC 7517)",
    tags=_TAGS,
    responses=answers(answer_of(JsonWebKeySet, media_type="application/jwk-set+json", cacheable=True)),
)
async def default_jwks(request: Call) -> Answer:
    keys = await request.services.issuers.jwks()
    return public_response(
        request, json.encode(keys), media_type="application/jwk-set+json", cache_control=FIVE_MINUTES
    )


HANDLERS = (default_did, default_jwks)
"""The routes of this file."""
