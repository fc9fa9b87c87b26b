"""``GET /v3/credentials``: the list of credentials, with its filters."""

from __future__ import annotations

from litestar import get

from lapel.domain.access import Scope
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.listing import CredentialFilter
from lapel.errors import InvalidInput
from lapel.http.answer import Answer
from lapel.http.auth import requires
from lapel.http.call import Call
from lapel.http.errors import MalformedRequest
from lapel.http.openapi.operations import PAGED, answers, described
from lapel.http.paging import (
    choice_parameter,
    id_parameter,
    issuer_parameter,
    list_response,
    page_request,
    text_parameter,
    time_parameter,
)
from lapel.openbadges.identity import TYPE_NAMES
from lapel.services.answers import CredentialItem, CredentialPage

__all__ = ["FILTERS", "HANDLERS", "credential_item"]

FILTERS = {
    "issuer": "Only this issuer's: UUID, URN, URL or DID.",
    "achievement": "Only this achievement's: UUID, URN or URL.",
    "recipient": "Only those issued to this identity: an e-mail address, DID, web address or phone number.",
    "recipientType": "`email`, `did`, `url` or `phone`, if it is not clear from `recipient` itself.",
    "status": "Only those with this status now.",
    "issuedSince": "Only those issued at this time or later: a date (UTC), or a date and time with an offset.",
    "issuedBefore": "Only those issued before this time.",
    "validFromSince": "Only those whose validFrom is this time or later.",
    "validFromBefore": "Only those whose validFrom is before this time.",
}
"""The list's own query parameters, and what they mean."""


def credential_item(request: Call, credential: Credential) -> CredentialItem:
    """Return the credential as lists show it."""
    addresses = request.services.addresses
    return CredentialItem(
        id=addresses.credential(credential.id),
        issuer=addresses.issuer(credential.issuer_id),
        format=credential.format,
        status=credential.status,
        recipient_type=TYPE_NAMES.get(credential.recipient_type, credential.recipient_type),
        valid_from=credential.valid_from,
        created_at=credential.created_at,
        achievement=addresses.achievement(credential.achievement_id) if credential.achievement_id else None,
        achievement_version=credential.achievement_version,
        valid_until=credential.valid_until,
        status_reason=credential.status_reason,
        status_changed_at=credential.status_changed_at,
        replaces=addresses.credential(credential.replaces_id) if credential.replaces_id else None,
        replaced_by=addresses.credential(credential.replaced_by_id) if credential.replaced_by_id else None,
        erased_at=credential.erased_at,
    )


@get(
    "/v3/credentials",
    summary="The organisation's credentials, newest first; if filtered by validFrom, latest validFrom first",
    operation_class=described(query={**PAGED, **FILTERS}),
    **requires(Scope.READ),
    tags=["Credentials"],
    responses=answers(CredentialPage, guarded=True),
)
async def list_credentials(request: Call) -> Answer:
    paging = page_request(request, *FILTERS)
    page = await request.services.credentials.page(
        request.principal, await _filter(request), before=paging.before, key=paging.key, limit=paging.limit
    )
    return await list_response(
        request,
        page,
        path="/v3/credentials",
        show=lambda credential: credential_item(request, credential),
        limit=paging.limit,
        keep=tuple(FILTERS),
    )


async def _filter(request: Call) -> CredentialFilter:
    """Read the filters from the query. Raises MalformedRequest."""
    recipient, kind = text_parameter(request, "recipient", max_length=4000), text_parameter(request, "recipientType")
    lookup = None
    if recipient is not None:
        try:
            lookup = request.services.credentials.recipient_lookup(recipient, kind)
        except InvalidInput as error:
            raise _recipient_error(error, kind) from error
    elif kind is not None:
        raise MalformedRequest("recipientType is the type of `recipient`, which is missing.")
    return CredentialFilter(
        issuer_id=await issuer_parameter(request),
        achievement_id=id_parameter(request, "achievement", collection="/v3/achievements"),
        recipient_lookup=lookup,
        status=choice_parameter(request, "status", CredentialStatus),
        created_since=time_parameter(request, "issuedSince"),
        created_before=time_parameter(request, "issuedBefore"),
        valid_since=time_parameter(request, "validFromSince"),
        valid_before=time_parameter(request, "validFromBefore"),
    )


def _recipient_error(error: InvalidInput, kind: str | None) -> MalformedRequest:
    """Describe what is wrong with the recipient; without a type it could have been meant as any of them."""
    first = error.errors[0]
    if first.pointer == "/type":
        return MalformedRequest(f"recipientType {first.detail}.")
    if kind is not None:
        return MalformedRequest(f"recipient {first.detail}.")
    return MalformedRequest(
        "recipient must be an e-mail address, DID, web address or phone number.",
        hint="Such as ada@example.org, did:web:example.org, https://example.org/ada or +442079460958, URL-encoded.",
    )


HANDLERS = (list_credentials,)
"""The routes of this file."""
