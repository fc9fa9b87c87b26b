"""The order and cursors of pages, and the search by folded names, which are the same on every database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from uuid import UUID

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.interface import Database
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.statement import Statement
from lapel.database.tables import achievements, issuers
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.text import fold

__all__ = ["FoldingRules", "PageRules"]

ORDERED_IDS = [
    UUID(text)
    for text in (
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-00000000000a",
        "00000000-0000-0000-00a0-000000000000",
        "0a000000-0000-7000-8000-000000000000",
        "7fffffff-ffff-ffff-ffff-ffffffffffff",
        "80000000-0000-0000-0000-000000000000",
        "9fffffff-0000-0000-0000-000000000000",
        "a0000000-0000-0000-0000-000000000000",
        "fffffffe-ffff-ffff-ffff-ffffffffffff",
    )
]
"""Sorted by their 128 bits, as in RFC 9562."""


class _Kept(Protocol):
    @property
    def id(self) -> UUID: ...


Page = Callable[[RepositoryFactory, samples.Scene, UUID | None], Awaitable[Sequence[_Kept]]]
Create = Callable[[DatabaseTransaction, samples.Scene, UUID], Awaitable[None]]
LIMIT = 3

LISTS: dict[str, tuple[Page, Create]] = {
    "issuers": (
        lambda read, scene, before: read.issuers.page(DEFAULT_ORGANISATION_ID, before=before, limit=LIMIT),
        lambda tx, scene, new: tx.issuers.create(replace(samples.issuer(), id=new)),
    ),
    "achievements": (
        lambda read, scene, before: read.achievements.page(DEFAULT_ORGANISATION_ID, before=before, limit=LIMIT),
        lambda tx, scene, new: tx.achievements.create(replace(samples.achievement(scene.issuer.id), id=new)),
    ),
    "achievements of an issuer": (
        lambda read, scene, before: read.achievements.page(
            DEFAULT_ORGANISATION_ID, issuer_id=scene.issuer.id, before=before, limit=LIMIT
        ),
        lambda tx, scene, new: tx.achievements.create(replace(samples.achievement(scene.issuer.id), id=new)),
    ),
    "credentials": (
        lambda read, scene, before: read.credentials.page(DEFAULT_ORGANISATION_ID, before=before, limit=LIMIT),
        lambda tx, scene, new: tx.credentials.create(replace(samples.credential(scene.issuer.id), id=new)),
    ),
    "API keys": (
        lambda read, scene, before: read.api_keys.page(DEFAULT_ORGANISATION_ID, before=before, limit=LIMIT),
        lambda tx, scene, new: tx.api_keys.create(replace(samples.api_key(), id=new)),
    ),
}


class PageRules:
    @pytest.mark.parametrize("kind", LISTS)
    async def test_a_cursor_survives_what_is_added_meanwhile(self, database: Database, kind: str) -> None:
        page, create = LISTS[kind]
        scene = await samples.set_scene(database)
        old = [samples.new_id() for _ in range(8)]
        async with database.transaction() as tx:
            for new in old:
                await create(tx, scene, new)
        seen: list[UUID] = []
        before: UUID | None = None
        while found := await page(database.read(), scene, before):
            seen += [one.id for one in found]
            before = seen[-1]
            async with database.transaction() as tx:
                await create(tx, scene, samples.new_id())
        assert [one for one in seen if one in old] == old[::-1], "nothing is seen twice, nothing is missed"
        assert len(seen) == len(set(seen))

    @pytest.mark.parametrize("kind", LISTS)
    async def test_ids_are_in_the_order_of_their_bits(self, database: Database, kind: str) -> None:
        page, create = LISTS[kind]
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            for new in sorted(ORDERED_IDS, key=lambda one: one.bytes[::-1]):
                await create(tx, scene, new)
        seen: list[UUID] = []
        while found := await page(database.read(), scene, seen[-1] if seen else None):
            seen += [one.id for one in found]
        assert [one for one in seen if one in ORDERED_IDS] == ORDERED_IDS[::-1]

    async def test_a_later_id_of_this_process_is_on_an_earlier_page(self, database: Database) -> None:
        many = [samples.api_key() for _ in range(500)]  # many of them within one millisecond
        async with database.transaction() as tx:
            for key in many:
                await tx.api_keys.create(key)
        assert await database.read().api_keys.page(DEFAULT_ORGANISATION_ID, before=None, limit=500) == many[::-1]


class FoldingRules:
    @pytest.mark.parametrize("name", ["STRASSE", "straße", "Ångström", "ANGSTRO\u0308M", "İstanbul", "ΣΊΣΥΦΟΣ", "Ⅷ"])
    async def test_a_name_is_found_by_its_folded_form(self, database: Database, name: str) -> None:
        wanted = samples.issuer(name=name)
        async with database.transaction() as tx:
            await tx.issuers.create(wanted)
            earned = samples.achievement(wanted.id, name=name)
            await tx.achievements.create(earned)
            for table, one in ((issuers, wanted.id), (achievements, earned.id)):
                by_name = Statement(sa.select(table.c.id).where(table.c.name_folded == sa.bindparam("name")))
                ((found,),) = await tx.fetch_all(by_name, {"name": fold(name)})
                assert found == one

    async def test_what_differs_in_case_is_the_same_only_when_folded(self, database: Database) -> None:
        lower, upper = samples.issuer(name="engines"), samples.issuer(name="ENGINES")
        async with database.transaction() as tx:
            await tx.issuers.create(lower)
            await tx.issuers.create(upper)
            for column, text, found in (
                (issuers.c.name, "engines", 1),
                (issuers.c.name_folded, fold("Engines"), 2),
                (issuers.c.name, "Engines", 0),
            ):
                by_text = Statement(sa.select(issuers.c.id).where(column == sa.bindparam("text")))
                assert len(await tx.fetch_all(by_text, {"text": text})) == found
