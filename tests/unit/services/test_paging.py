"""Reading a list to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from lapel.services.paging import all_pages


class Item(NamedTuple):
    id: UUID


async def test_a_list_of_several_pages_is_read_to_its_end_each_item_once() -> None:
    newest_first = [Item(UUID(int=number)) for number in range(1100, 0, -1)]
    asked: list[UUID | None] = []

    async def page(*, before: UUID | None, limit: int) -> Sequence[Item]:
        asked.append(before)
        return [item for item in newest_first if before is None or item.id < before][:limit]

    assert [item async for item in all_pages(page)] == newest_first
    assert len(asked) == 4
