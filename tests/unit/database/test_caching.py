"""What is read through the cache is at most a second old, and never older than this process's own changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from lapel.database.caching import TtlCache
from lapel.database.interface import Database
from lapel.domain.identifiers import uuid7_source
from lapel.domain.issuer import IdentityMethod, Issuer
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Source:
    """Something to load, that counts how often it is asked."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.loads = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def load(self) -> object:
        self.loads += 1
        value = self.value
        await self.may_answer.wait()
        return value


async def test_an_entity_is_loaded_once_while_it_is_fresh() -> None:
    now = 0.0
    cache, source = TtlCache(seconds=1.0, timer=lambda: now), Source("first")

    assert await cache.get("k", source.load) == "first"
    source.value = "second"
    now = 0.9
    assert await cache.get("k", source.load) == "first"
    now = 1.1
    assert await cache.get("k", source.load) == "second"
    assert source.loads == 2


async def test_many_who_miss_at_once_cause_one_load() -> None:
    cache, source = TtlCache(), Source("value")
    source.may_answer.clear()
    readers = [asyncio.ensure_future(cache.get("k", source.load)) for _ in range(50)]
    await asyncio.sleep(0)
    source.may_answer.set()

    assert set(await asyncio.gather(*readers)) == {"value"}
    assert source.loads == 1


async def test_what_is_loaded_while_it_changes_is_not_kept() -> None:
    cache, source = TtlCache(), Source("old")
    source.may_answer.clear()
    first = asyncio.ensure_future(cache.get("k", source.load))
    second = asyncio.ensure_future(cache.get("k", source.load))
    await asyncio.sleep(0)
    source.value = "new"
    cache.forget(["k"])
    source.may_answer.set()

    await first
    assert await second == "new"
    assert await cache.get("k", source.load) == "new"


async def test_a_failed_load_is_not_everybodys() -> None:
    cache, source = TtlCache(), Source("value")

    async def fail() -> object:
        await asyncio.sleep(0)
        raise LookupError

    failing = asyncio.ensure_future(cache.get("k", fail))
    await asyncio.sleep(0)
    assert await cache.get("k", source.load) == "value"
    assert isinstance(await asyncio.gather(failing, return_exceptions=True), list)


async def test_it_keeps_no_more_than_it_may() -> None:
    cache = TtlCache(most=10)
    sources = [Source(number) for number in range(20)]
    for number, source in enumerate(sources):
        await cache.get(number, source.load)
    for number, source in enumerate(sources):
        await cache.get(number, source.load)
    assert sum(source.loads for source in sources) > 20


def _issuer(issuer_id: UUID) -> Issuer:
    return Issuer(
        id=issuer_id,
        organisation_id=DEFAULT_ORGANISATION_ID,
        version=1,
        name="Harbour University",
        identity=IdentityMethod.HTTPS,
        created_at=NOW,
        updated_at=NOW,
    )


async def test_a_change_is_seen_as_soon_as_it_is_committed(database: Database) -> None:
    issuer = _issuer(uuid7_source()())
    async with database.transaction() as tx:
        await tx.issuers.create(issuer)
    assert await database.read().issuers.get(issuer.id) == issuer
    before = database.metrics.count("issuers.find")
    assert await database.read().issuers.get(issuer.id) == issuer
    assert database.metrics.count("issuers.find") == before

    changed = replace(issuer, name="Harbour College", version=2)
    async with database.transaction() as tx:
        await tx.issuers.update(changed, expected_version=1)

    assert await database.read().issuers.get(issuer.id) == changed


async def test_a_change_that_is_rolled_back_changes_nothing(database: Database) -> None:
    issuer = _issuer(uuid7_source()())
    async with database.transaction() as tx:
        await tx.issuers.create(issuer)
    try:
        async with database.transaction() as tx:
            await tx.issuers.update(replace(issuer, name="Harbour College", version=2), expected_version=1)
            assert (await tx.issuers.get(issuer.id)).name == "Harbour College"
            raise LookupError
    except LookupError:
        pass
    assert await database.read().issuers.get(issuer.id) == issuer
