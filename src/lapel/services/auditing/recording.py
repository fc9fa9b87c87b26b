"""Write into the audit log, in the transaction of the change itself.

Whatever a service stores, it records: ``await record(tx, principal, Action.…, entity.id, before=…, after=…)`` beside
the write, or `tx.audit_log.record_many` of what `entry_of` makes, where much is changed at once. What is issued is
stored by `store_issued` alone, which records and counts it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
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

# One for all, whatever makes the ids of entities: the log is read in the order of its ids.
_new_id: Final = uuid7_source()

_NOT_TOLD: Final = {"id", "organisation_id", "created_at", "updated_at"}
_MOST_TOGETHER: Final = 256
_LONGEST_BYTES: Final = 2000
"""Of a longer value only the size and the digest are told: that it has changed, not into what."""


class Issued(NamedTuple):
    """A new credential, who has issued it, and from where."""

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
    """Record that `by` did that: the entry that `entry_of` makes of the same."""
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
    """What the log is to tell. Of what was before and after, the members that differ are told.

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
    return _entry(by, origin.get(), action, entity_id, told, organisation_id)


async def store_issued(tx: Transaction, issued: Sequence[Issued]) -> None:
    """Store new credentials, record who issued them, and count them once they are committed.

    There is one entry for all that one issued from one address: one for each would cost as much as the credential.
    """
    groups: dict[tuple[int, str, str | None], list[Issued]] = {}
    for one in issued:
        key = (one.credential.organisation_id.int, one.by.actor, one.origin.address)
        groups.setdefault(key, []).append(one)
    for whole in groups.values():
        for first in range(0, len(whole), _MOST_TOGETHER):
            await _store_group(tx, whole[first : first + _MOST_TOGETHER])
    tx.after_commit(lambda: ISSUED.count(one.credential for one in issued))


def issued_by(by: Principal, credentials: Iterable[Credential]) -> list[Issued]:
    """What `by` has issued in this context."""
    came = origin.get()
    return [Issued(credential, by, came) for credential in credentials]


async def _store_group(tx: Transaction, group: Sequence[Issued]) -> None:
    (credential, by, came), action = group[0], Action.CREDENTIAL_ISSUED
    owner = credential.organisation_id
    if len(group) == 1:
        entry = _entry(by, came, action, credential.id, {}, owner)
        await tx.audit_log.record(entry)
        await tx.credentials.create(credential, issued_in=entry.id)
        return
    told = {"issued": [(one.credential.id, one.origin.request_id) for one in group]}
    entry = _entry(by, Origin(came.address, None), action, None, told, owner)
    await tx.audit_log.record(entry)
    await tx.credentials.create_many([one.credential for one in group], issued_in=entry.id)


def _entry(
    by: Principal,
    came: Origin,
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
        address=came.address,
        request_id=came.request_id,
        details=details,
    )


def _members(stored: msgspec.Struct | JsonObject | None) -> dict[str, JsonValue]:
    """What may be told of it, under the names that it has on the wire."""
    if stored is None:
        return {}
    if isinstance(stored, Mapping):
        found: Mapping[str, object] = stored
    else:
        found = {name: getattr(stored, name) for name in stored.__struct_fields__ if name not in _NOT_TOLD}
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
