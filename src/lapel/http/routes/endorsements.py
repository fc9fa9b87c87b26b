"""``/v3/endorsements``: an issuer endorses an achievement, a profile or a credential.

An endorsement is a credential: it is read, revoked and listed under ``/v3/credentials``.
"""

from __future__ import annotations

from litestar import post
from litestar.params import JSONBody

from lapel.domain.access import Scope
from lapel.http.answer import Answer
from lapel.http.auth import requires
from lapel.http.call import Call
from lapel.http.idempotency import IDEMPOTENCY_KEY, idempotent
from lapel.http.openapi.operations import described
from lapel.http.routes.credentials import ISSUED, issued, issued_before
from lapel.services.requests import NewEndorsement

__all__ = ["HANDLERS"]


@post(
    "/v3/endorsements",
    summary="Endorse an achievement, a profile or a credential: issue a signed EndorsementCredential",
    operation_class=described(headers=IDEMPOTENCY_KEY),
    **requires(Scope.CREDENTIALS_ISSUE),
    tags=["Endorsements"],
    responses=ISSUED,
)
@idempotent(issued_before)
async def issue_endorsement(request: Call, data: JSONBody[NewEndorsement]) -> Answer:
    return issued(request, await request.services.endorsing.issue(request.principal, data, request.once))


HANDLERS = (issue_endorsement,)
"""The routes of this file."""
