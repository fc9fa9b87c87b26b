"""``POST /v3/verify``: verify a badge, without a key, within a rate limit; and ``/verify``, a form for people."""

from __future__ import annotations

from litestar import get, post
from msgspec import json

from lapel.credentials.baking.carrier import InvalidImage, InvalidPayload, NothingBaked
from lapel.credentials.jose.vc_jwt import InvalidJwt
from lapel.credentials.strict_json import UnreadableJson
from lapel.domain.fetching import FetchFailed
from lapel.domain.json import JsonObject
from lapel.errors import InvalidInput
from lapel.http.answer import NO_STORE, PUBLIC, Answer
from lapel.http.call import Call, only_queries
from lapel.http.documents import FIVE_MINUTES, public_response
from lapel.http.limits.verification_limits import count_verification, verification_slot
from lapel.http.negotiation import HTML, prefers_html
from lapel.http.openapi.operations import BYTES, answer_of, answers, described
from lapel.http.submitted_badge import read_submitted_badge
from lapel.services.answers import VerificationReport
from lapel.services.requests import VerificationByAddress
from lapel.services.verifying.reading import UnreadableInput

__all__ = ["HANDLERS", "verification_form"]

_MEDIA_TYPES = ("application/json", HTML)
_TEXT: JsonObject = {"type": "string"}
_CREDENTIAL: JsonObject = {"type": "object", "title": "A credential, or whatever is taken for one"}
_FORM: JsonObject = {
    "type": "object",
    "anyOf": [{"required": ["file"]}, {"required": ["text"]}, {"required": ["url"]}],
    "properties": {"file": BYTES, "text": _TEXT, "url": _TEXT, "recipient": _TEXT},
    "additionalProperties": False,
}
_UNREADABLE = (
    (400, InvalidInput),
    UnreadableInput,
    UnreadableJson,
    InvalidJwt,
    InvalidImage,
    InvalidPayload,
    NothingBaked,
    FetchFailed,
)


@post(
    "/v3/verify",
    summary="Verify a credential (JSON), a JWS, a PNG or SVG badge, or what is at a URL",
    description=(
        'The body is the credential as JSON, a compact JWS, a baked PNG or SVG, or `{"url": …}`; '
        "or a form with the badge in `file` or `text`, or its address in `url`. "
        "Whom you expect to have earned it goes into `recipient`: as a query parameter with any body, as a member "
        "beside `url`, or as a field of the form. "
        "The report's `valid` is true, false, or null where it could not be told; `checks` says why. "
        "A browser gets it as a page."
    ),
    operation_class=described(
        query={
            "recipient": "Whom you expect: an e-mail address, a DID, a URL, a telephone number, another identifier."
        },
        body={
            "application/json": (VerificationByAddress, _CREDENTIAL),
            "application/vc": (_CREDENTIAL,),
            "application/vc+jwt": (_TEXT,),
            "text/plain": (_TEXT,),
            "image/png": (BYTES,),
            "image/svg+xml": (BYTES,),
            "multipart/form-data": (_FORM,),
        },
    ),
    status_code=200,
    tags=["Verification"],
    responses=answers(
        answer_of(VerificationReport, media_type=_MEDIA_TYPES, headers=("RateLimit", "RateLimit-Policy")),
        also=(408, 413, 415, 422, *_UNREADABLE),
    ),
)
async def verify(request: Call) -> Answer:
    limits = count_verification(request)
    badge = await read_submitted_badge(request)
    verifying = request.services.verifying
    async with verification_slot(request):
        if badge.url is not None:
            report = await verifying.verify_url(badge.url, expected_recipient=badge.recipient)
        else:
            report = await verifying.verify(
                badge.content, media_type=badge.media_type, expected_recipient=badge.recipient
            )
    headers = {**NO_STORE, "vary": "Accept", **PUBLIC, **limits}
    if prefers_html(request.header_list(b"accept"), *_MEDIA_TYPES):
        pages = request.services.pages
        return Answer(pages.report(report), media_type=HTML, headers={**headers, **pages.headers})
    return Answer(json.encode(report.to_json()), media_type=_MEDIA_TYPES[0], headers=headers)


@get("/verify")
async def verification_form(request: Call) -> Answer:
    """A page on which people verify a badge; ``?url=`` pre-fills its address."""
    only_queries(request, "url")
    pages = request.services.pages
    return public_response(
        request,
        pages.verification(request.query_params.get("url", "")),
        media_type=HTML,
        cache_control=FIVE_MINUTES,
        headers=pages.form_headers,
    )


HANDLERS = (verify,)
"""The routes of this file, except the page."""
