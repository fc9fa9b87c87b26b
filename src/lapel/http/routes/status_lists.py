"""``/v3/status-lists``: which credentials are revoked or suspended (W3C Bitstring Status List 1.0)."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath

from lapel.domain.credential import CredentialFormat
from lapel.http.answer import Answer
from lapel.http.call import Call, path_id
from lapel.http.documents import public_response
from lapel.http.fast_path import FAST
from lapel.http.openapi.operations import answer_of, answers, choice, described
from lapel.http.signed_media_types import JSON_MEDIA_TYPES, TOKEN_MEDIA_TYPES, chosen_media_type
from lapel.services.documents import CredentialDocument
from lapel.services.status import STATUS_LIST_SECONDS

__all__ = ["HANDLERS"]

_TAGS = ["Credentials"]
_FORMAT = described(query={"format": choice("With an embedded proof, or a JWT; instead of Accept.", "json", "jwt")})
_ANSWERS = answers(
    answer_of(CredentialDocument, media_type=(*JSON_MEDIA_TYPES, *TOKEN_MEDIA_TYPES), cacheable=True), also=(406,)
)


@get(
    "/v3/status-lists/{list_id:str}",
    summary="A signed BitstringStatusListCredential, for revocation or for suspension",
    operation_class=_FORMAT,
    opt=FAST,
    tags=_TAGS,
    responses=_ANSWERS,
)
async def get_status_list(request: Call, list_id: FromPath[str]) -> Answer:
    return await _status_list(request, list_id, revocations=False)


@get(
    "/v3/status-lists/{list_id:str}/revocations",
    summary="Beside a list of suspension: which of its entries are revoked for good",
    operation_class=_FORMAT,
    tags=_TAGS,
    responses=_ANSWERS,
)
async def get_revocations_among(request: Call, list_id: FromPath[str]) -> Answer:
    return await _status_list(request, list_id, revocations=True)


async def _status_list(request: Call, list_id: str, *, revocations: bool) -> Answer:
    media_type = chosen_media_type(request, JSON_MEDIA_TYPES + TOKEN_MEDIA_TYPES)
    format_ = CredentialFormat.VC_JWT if media_type in TOKEN_MEDIA_TYPES else CredentialFormat.EDDSA_RDFC_2022
    signed = await request.services.statuses.status_list(path_id(list_id), revocations=revocations, format=format_)
    return public_response(
        request,
        signed.content,
        media_type=media_type,
        cache_control=f"public, max-age={STATUS_LIST_SECONDS}",
        headers={"vary": "Accept"},
    )


HANDLERS = (get_status_list, get_revocations_among)
"""The routes of this file."""
