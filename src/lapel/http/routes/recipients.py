"""``/v3/recipients``: erase a person's data."""

from __future__ import annotations

from litestar import post
from litestar.params import JSONBody

from lapel.domain.access import Scope
from lapel.http.answer import Answer, json_answer
from lapel.http.auth import requires
from lapel.http.call import Call
from lapel.http.openapi.operations import answers
from lapel.services.answers import Erased
from lapel.services.requests import ErasedIdentity

__all__ = ["HANDLERS"]


@post(
    "/v3/recipients/erase",
    summary="Erase every credential that was issued to an identity; their addresses answer 410 from now on",
    status_code=200,
    **requires(Scope.RECIPIENTS_ERASE),
    tags=["Credentials"],
    responses=answers(Erased, guarded=True, writes=True),
)
async def erase_recipient(request: Call, data: JSONBody[ErasedIdentity]) -> Answer:
    services = request.services
    erased = await services.erasing.erase_recipient(request.principal, data)
    return json_answer(Erased(len(erased), [services.addresses.credential(credential_id) for credential_id in erased]))


HANDLERS = (erase_recipient,)
"""The routes of this file."""
