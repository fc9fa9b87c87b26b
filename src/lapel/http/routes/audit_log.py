"""``/v3/audit-log``: who changed what, when, from where."""

from __future__ import annotations

from datetime import datetime
from typing import cast
from uuid import UUID

import msgspec
from litestar import get

from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.json import JsonValue
from lapel.http.answer import Answer
from lapel.http.auth import SECURITY, authenticated
from lapel.http.call import Call
from lapel.http.errors import MalformedRequest
from lapel.http.openapi import PAGED, answers, described
from lapel.http.paging import id_parameter, list_response, page_request
from lapel.services.answers import AuditedCredential, AuditItem, AuditPage

__all__ = ["HANDLERS"]

_COLLECTIONS = ("/v3/credentials", "/v3/achievements", "/v3/issuers", "/v3/images")
_FILTERS = ("actor", "action", "entity", "since", "until")


@get(
    "/v3/audit-log",
    summary="What was done in the organisation, newest first",
    operation_class=described(
        query={
            **PAGED,
            "actor": "Only what this one did, such as `api-key:018f…` or `command-line`.",
            "action": "Only this, such as `credential.revoked`.",
            "entity": "Only what was done to this: UUID, URN or URL.",
            "since": "Only from this moment on (RFC 3339).",
            "until": "Only before this moment (RFC 3339).",
        }
    ),
    before_request=authenticated,
    security=SECURITY,
    tags=["Audit log"],
    responses=answers(AuditPage, guarded=True),
)
async def list_audit_log(request: Call) -> Answer:
    wanted = page_request(request, *_FILTERS)
    page = await request.services.audit_log.page(
        request.principal,
        actor=request.query_params.get("actor"),
        action=_action(request),
        entity_id=_entity(request),
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        before=wanted.before,
        limit=wanted.limit,
    )
    addresses = request.services.addresses
    return list_response(
        request,
        page,
        path="/v3/audit-log",
        show=lambda entry: shown(entry, addresses),
        limit=wanted.limit,
        keep=_FILTERS,
    )


def shown(entry: AuditEntry, addresses: Addresses) -> AuditItem:
    """The entry as it is shown."""
    details = cast("dict[str, JsonValue]", entry.details)
    issued = cast("list[tuple[str, str | None]] | None", details.get("issued"))
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
        issued=[AuditedCredential(addresses.credential(UUID(one)), asked) for one, asked in issued] if issued else None,
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
    collection = next((one for one in _COLLECTIONS if text.startswith(f"{base}{one}/")), _COLLECTIONS[0])
    return id_parameter(request, "entity", collection=collection)


def _action(request: Call) -> Action | None:
    text = request.query_params.get("action")
    if text is None:
        return None
    try:
        return Action(text)
    except ValueError:
        raise MalformedRequest(f"There is no action {text[:40]!r}.", hint=f"There are: {', '.join(Action)}.") from None


def _moment(request: Call, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None or moment.tzinfo is None:
        hint = "Give it as in 2026-01-31T12:00:00Z."
        raise MalformedRequest(f"{name} must be a date and time with an offset (RFC 3339).", hint=hint)
    return moment


HANDLERS = (list_audit_log,)
"""The routes of this file."""
