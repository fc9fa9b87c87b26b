"""The achievement that a request to issue names: looked for when it is read, and again where storing fails."""

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
    """The newest version of the organisation's achievement of that id or address, if there is one."""
    try:
        achievement_id = parse_id(addresses.own_id(named, collection="/v3/achievements"))
    except InvalidInput:
        return None
    achievement = await store.read().achievements.find(achievement_id)
    if achievement is None or achievement.organisation_id != principal.organisation_id:
        return None
    return achievement


def add_unknown(problems: Problems, pointer: str) -> None:
    """Note that the request at `pointer` names no achievement."""
    problems.add(
        f"{pointer}/achievement", "must be the id or the address of an achievement of this organisation", "not_found"
    )


async def deleted_meanwhile(store: Store, named: Mapping[str, Achievement]) -> Mapping[str, InvalidInput]:
    """What to say of those requests whose achievement is there no more, by their pointers.

    Where credentials conflict with what is stored, this may be why: somebody has deleted it since it was read.
    """
    found: dict[str, InvalidInput] = {}
    async with store.transaction(read_only=True) as tx:  # never from memory
        there = {one.id: await tx.achievements.find(one.id) for one in named.values()}
    for pointer, achievement in named.items():
        if there[achievement.id] is None:
            problems = Problems()
            add_unknown(problems, pointer)
            found[pointer] = problems.error()
    return found
