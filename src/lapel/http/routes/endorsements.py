"""``/v3/endorsements``: an issuer speaks for somebody's achievement, profile or credential.

An endorsement is a credential: what is made here is read, revoked and listed under ``/v3/credentials``.
"""

from __future__ import annotations

from litestar import post
from litestar.params import JSONBody

from lapel.http.answer import Answer
from lapel.http.auth import SECURITY, authenticated
from lapel.http.call import Call
from lapel.http.documents import created
from lapel.http.routes.credentials import ISSUED, media_type_of
from lapel.services.requests import NewEndorsement

__all__ = ["HANDLERS"]


@post(
    "/v3/endorsements",
    summary="Endorse an achievement, a profile or a credential: issue a signed EndorsementCredential",
    before_request=authenticated,
    security=SECURITY,
    tags=["Endorsements"],
    responses=ISSUED,
)
async def issue_endorsement(request: Call, data: JSONBody[NewEndorsement]) -> Answer:
    credential = await request.services.endorsing.issue(request.principal, data)
    return created(
        credential.signed,
        location=request.services.addresses.credential(credential.id),
        media_type=media_type_of(credential),
    )


HANDLERS = (issue_endorsement,)
"""The routes of this file."""
