"""``/v3/audit-log``: who changed what, when, from where."""

from __future__ import annotations

from typing import TypeAlias, cast
from uuid import UUID

from litestar import get
from msgspec import convert

from lapel.domain.access import Scope
from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.json import JsonValue
from lapel.http.answer import Answer
from lapel.http.auth import requires
from lapel.http.call import Call
from lapel.http.openapi.operations import PAGED, answers, described
from lapel.http.paging import (
    choice_parameter,
    id_parameter,
    list_response,
    page_request,
    text_parameter,
    time_parameter,
)
from lapel.services.answers import AuditedCredential, AuditItem, AuditPage

__all__ = ["HANDLERS"]

_Issued: TypeAlias = list[tuple[UUID, str | None]]

_COLLECTIONS = ("/v3/credentials", "/v3/achievements", "/v3/issuers", "/v3/images")
_FILTERS = {
    "actor": "Only what this actor did, such as `api-key:018f…` or `command-line`.",
    "action": "Only this action, such as `credential.revoked`.",
    "entity": "Only what was done to this: UUID, URN or URL.",
    "since": "Only from this moment on: a date and time, or a date (RFC 3339).",
    "until": "Only before this moment.",
}


@get(
    "/v3/audit-log",
    summary="The organisation's audit log, newest first",
    operation_class=described(query={**PAGED, **_FILTERS}),
    **requires(Scope.AUDIT_READ),
    tags=["Audit log"],
    responses=answers(AuditPage, guarded=True),
)
async def list_audit_log(request: Call) -> Answer:
    paging = page_request(request, *_FILTERS)
    page = await request.services.audit_log.page(
        request.principal,
        actor=text_parameter(request, "actor", max_length=300),
        action=choice_parameter(request, "action", Action),
        entity_id=_entity(request),
        since=time_parameter(request, "since"),
        until=time_parameter(request, "until"),
        before=paging.before,
        limit=paging.limit,
    )
    addresses = request.services.addresses
    return await list_response(
        request,
        page,
        path="/v3/audit-log",
        show=lambda entry: _item(entry, addresses),
        limit=paging.limit,
        keep=tuple(_FILTERS),
    )


def _item(entry: AuditEntry, addresses: Addresses) -> AuditItem:
    details = cast("dict[str, JsonValue]", entry.details)
    issued = convert(details.get("issued", ()), _Issued)
    return AuditItem(
        id=str(entry.id),
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        entity=None if entry.entity_id is None else _address(entry.action, entry.entity_id, addresses),
        address=entry.address,
        request_id=entry.request_id,
        before=cast("dict[str, object] | None", details.get("before")),
        after=cast("dict[str, object] | None", details.get("after")),
        issued=[AuditedCredential(addresses.credential(id_), key) for id_, key in issued] or None,
    )


def _address(action: Action, entity_id: UUID, addresses: Addresses) -> str | None:
    match action.partition(".")[0]:
        case "issuer":
            return addresses.issuer(entity_id)
        case "achievement":
            return addresses.achievement(entity_id)
        case "credential":
            return addresses.credential(entity_id)
        case "image":
            return addresses.image(entity_id)
        case "audit_log":
            return None
    return entity_id.urn


def _entity(request: Call) -> UUID | None:
    text = request.query_params.get("entity") or ""
    base = request.services.addresses.base
    collection = next((path for path in _COLLECTIONS if text.startswith(f"{base}{path}/")), _COLLECTIONS[0])
    return id_parameter(request, "entity", collection=collection)


HANDLERS = (list_audit_log,)
"""The routes of this file."""
