"""``/v3/status-lists``: which credentials are revoked (W3C Bitstring Status List 1.0)."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath

from lapel.http.answer import Answer
from lapel.http.call import Call, path_id
from lapel.http.documents import public_response
from lapel.http.negotiation import choose
from lapel.http.openapi import answers
from lapel.services.status import STATUS_LIST_SECONDS

__all__ = ["HANDLERS"]

_FORMS = ("application/vc", "application/ld+json", "application/json", "application/vc+ld+json")


@get(
    "/v3/status-lists/{list_id:str}",
    summary="A signed BitstringStatusListCredential",
    tags=["Credentials"],
    responses=answers(media_type="application/vc", also=(406,)),
)
async def get_status_list(request: Call, list_id: FromPath[str]) -> Answer:
    media_type = choose(request.header(b"accept"), _FORMS)
    signed = await request.services.statuses.status_list(path_id(list_id))
    return public_response(
        request,
        signed.content,
        media_type=media_type,
        cache_control=f"public, max-age={STATUS_LIST_SECONDS}",
        headers={"vary": "Accept"},
    )


HANDLERS = (get_status_list,)
"""The routes of this file."""
