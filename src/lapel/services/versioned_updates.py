"""Read-modify-write of versioned entities, repeated when another writer came first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import SystemRandom
from typing import Final, Protocol, TypeVar
from uuid import UUID

from msgspec.structs import replace

from lapel.domain.access import Principal
from lapel.domain.achievement import Achievement
from lapel.domain.audit import Action
from lapel.domain.issuer import Issuer
from lapel.domain.ports import Clock, Store, Transaction
from lapel.errors import PreconditionFailed, Unavailable
from lapel.services.auditing.recording import record

__all__ = ["require_version", "update_versioned"]

Entity = TypeVar("Entity", Issuer, Achievement)

_ATTEMPTS: Final = 20
_PAUSE_SECONDS: Final = 0.005


class _Repository(Protocol[Entity]):
    async def get(self, entity_id: UUID, /) -> Entity: ...

    async def update(self, entity: Entity, /, *, expected_version: int) -> None: ...


async def update_versioned(
    store: Store,
    clock: Clock,
    principal: Principal,
    action: Action,
    repository: Callable[[Transaction], _Repository[Entity]],
    entity_id: UUID,
    change: Callable[[Entity], Entity],
    *,
    expected_version: int | None,
) -> Entity:
    """Apply `change` to the newest version, store the result as the next version, and record `action`.

    If `change` returns an equal entity, nothing is stored.

    Args:
        expected_version: the version that the caller has read. Without it, the update is repeated when another writer
            came between.

    Raises:
        PreconditionFailed: `expected_version` is not the newest version.
        Unavailable: other writers came first in every attempt.
    """

    async def body(tx: Transaction) -> Entity:
        entities = repository(tx)
        before = await entities.get(entity_id)
        require_version(before, expected_version)
        changed = change(before)
        if changed == before:
            return before
        changed = replace(changed, version=before.version + 1, updated_at=clock())
        await entities.update(changed, expected_version=before.version)
        await record(tx, principal, action, entity_id, before=before, after=changed)
        return changed

    if expected_version is not None:
        return await store.run(body)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await store.run(body)
        except PreconditionFailed:
            # A random pause, so that the writers that collided do not collide again.
            await asyncio.sleep(SystemRandom().uniform(0, _PAUSE_SECONDS * attempt))
    raise Unavailable("Too many requests are changing this at the same time.")


def require_version(entity: Issuer | Achievement, expected: int | None) -> None:
    """Raise PreconditionFailed unless `entity` is at the expected version, or none is expected."""
    if expected not in (None, entity.version):
        name = type(entity).__name__.lower()
        raise PreconditionFailed(f"The {name} is at version {entity.version}, which is not the expected one.")
