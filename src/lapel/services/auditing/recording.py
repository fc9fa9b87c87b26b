"""Write into the audit log, in the transaction of the change itself.

Whatever a service stores, it records: ``await record(tx, principal, Action.…, entity.id, before=…, after=…)`` beside the
write. What is issued is stored by `store_issued` alone, which records it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from lapel.domain.access import Principal
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.credential import Credential
from lapel.domain.identifiers import uuid7_source
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.ports import Transaction

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["record", "store_issued"]

# One for all, whatever makes the ids of entities: the log is read in the order of its ids.
_new_id: Final = uuid7_source()

_NOT_TOLD: Final = {"id", "organisation_id", "created_at", "updated_at"}
_MOST_TOGETHER: Final = 256
_LONGEST_BYTES: Final = 2000
"""Of a longer value only the size and the digest are told: that it has changed, not into what."""


async def record(
    tx: Transaction,
    by: Principal,
    action: Action,
    entity_id: UUID | None = None,
    *,
    before: DataclassInstance | JsonObject | None = None,
    after: DataclassInstance | JsonObject | None = None,
    organisation_id: UUID | None = None,
) -> None:
    """Record that `by` did that. Of what was before and after, the members that differ are told.

    Args:
        before, after: the entity, or those of its members that may be told. Of an entity, bytes never are: keys,
            digests, what is signed.
        organisation_id: whose log it belongs into; that of `by`, unless given.
    """
    told: dict[str, JsonValue] = {}
    old, new = _members(before), _members(after)
    differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    for word, members in (("before", old), ("after", new)):
        if shown := {name: members[name] for name in differing if members.get(name) is not None}:
            told[word] = shown
    await tx.audit_log.record(_entry(by, action, entity_id, by.request_id, told, organisation_id))


async def store_issued(tx: Transaction, issued: Sequence[tuple[Credential, Principal]]) -> None:
    """Store new credentials, and record who issued them: one entry for all that one issued from one address.

    An entry for each would cost as much as the credential.
    """
    groups: dict[tuple[int, str, str | None], list[tuple[Credential, Principal]]] = {}
    for one in issued:
        credential, by = one
        groups.setdefault((credential.organisation_id.int, by.actor, by.address), []).append(one)
    for whole in groups.values():
        for first in range(0, len(whole), _MOST_TOGETHER):
            await _store_group(tx, whole[first : first + _MOST_TOGETHER])


async def _store_group(tx: Transaction, group: Sequence[tuple[Credential, Principal]]) -> None:
    credential, by = group[0]
    if len(group) == 1:
        entry = _entry(by, Action.CREDENTIAL_ISSUED, credential.id, by.request_id, {}, credential.organisation_id)
        await tx.audit_log.record(entry)
        await tx.credentials.create(credential, issued_in=entry.id)
    else:
        told = {"issued": [(credential.id, by.request_id) for credential, by in group]}
        entry = _entry(by, Action.CREDENTIAL_ISSUED, None, None, told, credential.organisation_id)
        await tx.audit_log.record(entry)
        await tx.credentials.create_many([credential for credential, _ in group], issued_in=entry.id)


def _entry(
    by: Principal,
    action: Action,
    entity_id: UUID | None,
    request_id: str | None,
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
        address=by.address,
        request_id=request_id,
        details=details,
    )


def _members(stored: DataclassInstance | JsonObject | None) -> dict[str, JsonValue]:
    """What may be told of it, under the names that it has on the wire."""
    if stored is None:
        return {}
    if isinstance(stored, Mapping):
        found: Mapping[str, object] = stored
    else:
        found = {each.name: getattr(stored, each.name) for each in fields(stored) if each.name not in _NOT_TOLD}
    return {_wire(name): _told(value) for name, value in found.items() if not isinstance(value, bytes)}


def _told(value: object) -> JsonValue:
    encoded = msgspec.json.encode(value)
    if len(encoded) > _LONGEST_BYTES:
        return {"bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}
    told: JsonValue = msgspec.json.decode(encoded)
    return told


def _wire(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
