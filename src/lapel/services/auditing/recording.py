"""Write to the audit log, in the transaction of the change itself.

A service records whatever it stores: by ``await record(tx, principal, Action.…, entity.id, before=…, after=…)`` beside
the write, or, for many changes at once, by `tx.audit_log.record_many` with entries from `entry_of`. Only `store_issued`
stores new credentials: it also records and counts them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from lapel.domain.access import Principal
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.credential import Credential
from lapel.domain.identifiers import uuid7_source
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.origin import Origin, origin
from lapel.domain.ports import Transaction
from lapel.services.metrics.counting import ISSUED

__all__ = ["Issued", "entry_of", "issued_by", "record", "store_issued"]

# One source for the whole process, because the log is read in the order of its ids.
_new_id: Final = uuid7_source()

_EXCLUDED: Final = {"id", "organisation_id", "created_at", "updated_at"}
_MAX_PER_ENTRY: Final = 256
_MAX_VALUE_BYTES: Final = 2000
"""A longer value is recorded by its size and digest, which show that it has changed."""


class Issued(msgspec.Struct, frozen=True):
    """A new credential, who issued it, and from where."""

    credential: Credential
    by: Principal
    origin: Origin


async def record(
    tx: Transaction,
    by: Principal,
    action: Action,
    entity_id: UUID | None = None,
    *,
    before: msgspec.Struct | JsonObject | None = None,
    after: msgspec.Struct | JsonObject | None = None,
    organisation_id: UUID | None = None,
) -> None:
    """Record an action of `by`, with the entry that `entry_of` returns."""
    entry = entry_of(by, action, entity_id, before=before, after=after, organisation_id=organisation_id)
    await tx.audit_log.record(entry)


def entry_of(
    by: Principal,
    action: Action,
    entity_id: UUID | None = None,
    *,
    before: msgspec.Struct | JsonObject | None = None,
    after: msgspec.Struct | JsonObject | None = None,
    organisation_id: UUID | None = None,
) -> AuditEntry:
    """Return an audit log entry with the members that differ between `before` and `after`.

    Args:
        before, after: the entity, or those of its members that may be recorded. Bytes are never recorded: they are
            keys, digests or signed documents.
        organisation_id: the organisation whose log the entry is for; by default that of `by`.
    """
    details: dict[str, JsonValue] = {}
    old, new = _members(before), _members(after)
    differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    for label, members in (("before", old), ("after", new)):
        if changed := {name: members[name] for name in differing if members.get(name) is not None}:
            details[label] = changed
    return _entry(by, origin.get(), action, entity_id, details, organisation_id)


async def store_issued(tx: Transaction, issued: Sequence[Issued]) -> None:
    """Store new credentials, record who issued them, and count them after the commit.

    Credentials that one principal issued from one address share an entry: one each would cost as much as a credential.
    """
    groups: dict[tuple[int, str, str | None], list[Issued]] = {}
    for item in issued:
        key = (item.credential.organisation_id.int, item.by.actor, item.origin.address)
        groups.setdefault(key, []).append(item)
    for group in groups.values():
        for first in range(0, len(group), _MAX_PER_ENTRY):
            await _store_group(tx, group[first : first + _MAX_PER_ENTRY])
    tx.after_commit(lambda: ISSUED.count(item.credential for item in issued))


def issued_by(by: Principal, credentials: Iterable[Credential]) -> list[Issued]:
    """Return the credentials as issued by `by`, from the origin of the current request."""
    current = origin.get()
    return [Issued(credential, by, current) for credential in credentials]


async def _store_group(tx: Transaction, group: Sequence[Issued]) -> None:
    credential, by, request, action = group[0].credential, group[0].by, group[0].origin, Action.CREDENTIAL_ISSUED
    owner = credential.organisation_id
    if len(group) == 1:
        entry = _entry(by, request, action, credential.id, {}, owner)
        await tx.audit_log.record(entry)
        await tx.credentials.create(credential, issued_in=entry.id)
        return
    details = {"issued": [(item.credential.id, item.origin.request_id) for item in group]}
    entry = _entry(by, Origin(request.address, None), action, None, details, owner)
    await tx.audit_log.record(entry)
    await tx.credentials.create_many([item.credential for item in group], issued_in=entry.id)


def _entry(
    by: Principal,
    request: Origin,
    action: Action,
    entity_id: UUID | None,
    details: Mapping[str, object],
    organisation_id: UUID | None,
) -> AuditEntry:
    entry_id = _new_id()
    return AuditEntry(
        id=entry_id,
        organisation_id=organisation_id or by.organisation_id,
        at=datetime.fromtimestamp((entry_id.int >> 80) / 1000, UTC),
        actor=by.actor,
        action=action,
        entity_id=entity_id,
        address=request.address,
        request_id=request.request_id,
        details=details,
    )


def _members(entity: msgspec.Struct | JsonObject | None) -> dict[str, JsonValue]:
    """Return the members that may be recorded, by their names on the wire."""
    if entity is None:
        return {}
    if isinstance(entity, Mapping):
        members: Mapping[str, object] = entity
    else:
        members = {name: getattr(entity, name) for name in entity.__struct_fields__ if name not in _EXCLUDED}
    return {_wire_name(name): _json_value(value) for name, value in members.items() if not isinstance(value, bytes)}


def _json_value(value: object) -> JsonValue:
    encoded = msgspec.json.encode(value)
    if len(encoded) > _MAX_VALUE_BYTES:
        return {"bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}
    decoded: JsonValue = msgspec.json.decode(encoded)
    return decoded


def _wire_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
