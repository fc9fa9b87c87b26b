"""Finds the achievement that a request to issue names, and, if storing fails, whether it was deleted meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from lapel.domain.access import Principal
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.identifiers import parse_id
from lapel.domain.ports import Store
from lapel.errors import InvalidInput
from lapel.openbadges.problems import Problems

__all__ = ["add_unknown", "deleted_meanwhile", "named_achievement"]


async def named_achievement(store: Store, addresses: Addresses, principal: Principal, named: str) -> Achievement | None:
    """Return the newest version of the organisation's achievement with this id or address, if there is one."""
    try:
        achievement_id = parse_id(addresses.own_id(named, collection="/v3/achievements"))
    except InvalidInput:
        return None
    return principal.own(await store.read().achievements.find(achievement_id))


def add_unknown(problems: Problems, pointer: str) -> None:
    """Record that the request at `pointer` names no achievement."""
    problems.add(
        f"{pointer}/achievement", "must be the id or the address of an achievement of this organisation", "not_found"
    )


async def deleted_meanwhile(store: Store, named: Mapping[str, Achievement]) -> Mapping[str, InvalidInput]:
    """Return the errors of the requests whose achievement no longer exists, by the requests' pointers.

    An achievement that was deleted after it was read may be the reason why credentials cannot be stored.
    """
    errors: dict[str, InvalidInput] = {}
    async with store.transaction(read_only=True) as tx:  # a transaction reads past the cache
        found = await tx.achievements.find_many(list({achievement.id for achievement in named.values()}))
    existing = {achievement.id for achievement in found}
    for pointer, achievement in named.items():
        if achievement.id not in existing:
            problems = Problems()
            add_unknown(problems, pointer)
            errors[pointer] = problems.error()
    return errors
