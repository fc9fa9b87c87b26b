"""The repositories of issuers, achievements and organisations."""

# A transaction may raise its error only at the end of its block.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.errors import ForeignKeyViolation, RecordNotFound, UniqueViolation
from lapel.database.interface import Database
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID, Organisation
from lapel.errors import PreconditionFailed

__all__ = ["AchievementRules", "IssuerRules", "OrganisationRules"]


class OrganisationRules:
    async def test_a_fresh_database_has_the_default_one(self, database: Database) -> None:
        found = await database.read().organisations.find(DEFAULT_ORGANISATION_ID)
        assert found is not None
        assert found.id == DEFAULT_ORGANISATION_ID
        assert found.created_at.year > 2000

    async def test_one_that_was_created_is_found_as_it_was(self, database: Database) -> None:
        organisation = Organisation(id=samples.new_id(), name="École ✓ 🏫", created_at=samples.MOMENT)
        async with database.transaction() as tx:
            await tx.organisations.create(organisation)
        assert await database.read().organisations.find(organisation.id) == organisation

    async def test_an_unknown_one_is_none(self, database: Database) -> None:
        assert await database.read().organisations.find(samples.new_id()) is None
        with pytest.raises(RecordNotFound):
            async with database.transaction() as tx:
                await tx.organisations.rename(samples.new_id(), "Nobody's")

    async def test_one_is_renamed_and_all_are_listed_newest_first(self, database: Database) -> None:
        one, other = (Organisation(id=samples.new_id(), name=name, created_at=samples.MOMENT) for name in "AB")
        async with database.transaction() as tx:
            await tx.organisations.create(one)
            await tx.organisations.create(other)
            assert await tx.organisations.rename(one.id, "C") == replace(one, name="C")
        read = database.read().organisations
        assert await read.page(before=None, limit=1) == [other]
        (second, third) = await read.page(before=other.id, limit=5)
        assert (second, third.id) == (replace(one, name="C"), DEFAULT_ORGANISATION_ID)


class IssuerRules:
    async def test_one_that_was_created_is_found_as_it_was(self, database: Database) -> None:
        picture = samples.image()
        full = replace(
            samples.issuer(did="did:web:example.org", profile={"officialName": "A", "address": {"x": [1, None, True]}}),
            url="https://example.org/",
            phone="+441234",
            description="Teaches",
            image_id=picture.id,
        )
        bare = samples.issuer()
        async with database.transaction() as tx:
            await tx.images.create_if_absent(picture)
            await tx.issuers.create(full)
            await tx.issuers.create(bare)
        read = database.read().issuers
        assert [await read.get(full.id), await read.find(bare.id)] == [full, bare]

    async def test_an_unknown_one_is_not_found(self, database: Database) -> None:
        unknown = samples.new_id()
        assert await database.read().issuers.find(unknown) is None
        with pytest.raises(RecordNotFound, match=str(unknown)):
            await database.read().issuers.get(unknown)

    async def test_many_are_found_by_their_ids(self, database: Database) -> None:
        stored = [samples.issuer() for _ in range(70)]
        async with database.transaction() as tx:
            for issuer in stored:
                await tx.issuers.create(issuer)
        found = await database.read().issuers.find_many([samples.new_id(), *(issuer.id for issuer in stored[1:])])
        assert sorted(found, key=lambda issuer: issuer.id) == stored[1:]
        assert await database.read().issuers.find_many([]) == []

    async def test_the_default_is_the_oldest(self, database: Database) -> None:
        assert await database.read().issuers.default() is None
        first, second = samples.issuer(), samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(second)
            await tx.issuers.create(first)
        assert await database.read().issuers.default() == first

    async def test_pages_are_newest_first_and_miss_none(self, database: Database) -> None:
        stored = [samples.issuer(name="the same") for _ in range(7)]
        async with database.transaction() as tx:
            for issuer in stored:
                await tx.issuers.create(issuer)
        read, before, pages = database.read().issuers, None, []
        while page := await read.page(DEFAULT_ORGANISATION_ID, before=before, limit=3):
            pages.append(page)
            before = page[-1].id
        assert [len(page) for page in pages] == [3, 3, 1]
        assert [issuer for page in pages for issuer in page] == stored[::-1]

    async def test_a_page_is_of_one_organisation(self, database: Database) -> None:
        other = Organisation(id=samples.new_id(), name="other", created_at=samples.MOMENT)
        foreign, own = replace(samples.issuer(), organisation_id=other.id), samples.issuer()
        async with database.transaction() as tx:
            await tx.organisations.create(other)
            await tx.issuers.create(foreign)
            await tx.issuers.create(own)
        assert await database.read().issuers.page(other.id, before=None, limit=9) == [foreign]
        assert await database.read().issuers.default() == own

    async def test_an_update_replaces_the_version_it_expects(self, database: Database) -> None:
        issuer = samples.issuer(profile={"a": 1})
        changed = replace(issuer, version=2, name="New", email=None, profile={"b": 2})
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            await tx.issuers.update(changed, expected_version=1)
        assert await database.read().issuers.get(issuer.id) == changed

    async def test_an_update_of_an_older_version_is_refused(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            await tx.issuers.update(replace(issuer, version=2), expected_version=1)
        with pytest.raises(PreconditionFailed):
            async with database.transaction() as tx:
                await tx.issuers.update(replace(issuer, version=2, name="lost"), expected_version=1)
        assert (await database.read().issuers.get(issuer.id)).name == issuer.name

    async def test_an_update_of_an_unknown_one_is_not_found(self, database: Database) -> None:
        with pytest.raises(RecordNotFound):
            async with database.transaction() as tx:
                await tx.issuers.update(samples.issuer(), expected_version=1)

    async def test_of_two_updates_at_once_one_is_refused(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)

        async def rename(name: str) -> None:
            async with database.transaction() as tx:
                before = await tx.issuers.get(issuer.id)
                await asyncio.sleep(0)
                await tx.issuers.update(replace(before, version=2, name=name), expected_version=1)

        outcomes = await asyncio.gather(*map(rename, "ab"), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "PreconditionFailed"]

    async def test_two_cannot_have_one_did(self, database: Database) -> None:
        with pytest.raises(UniqueViolation) as caught:
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer(did="did:web:a.example"))
                await tx.issuers.create(samples.issuer(did="did:web:a.example"))
        assert caught.value.context is not None
        assert caught.value.context.entity == "issuer"
        assert caught.value.context.operation == "issuers.create"
        if database.capabilities.names_constraints:
            assert caught.value.constraint == "uq_issuers_did"

    async def test_its_image_must_be_there(self, database: Database) -> None:
        with pytest.raises(ForeignKeyViolation):
            async with database.transaction() as tx:
                await tx.issuers.create(replace(samples.issuer(), image_id=samples.new_id()))


class AchievementRules:
    async def test_each_version_stays_as_it_was(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        first = replace(
            samples.achievement(scene.issuer.id, tags=("b", "a", "ü")),
            criteria_id="https://example.org/criteria",
            criteria_narrative=None,
            achievement_type="Badge",
            details={"alignment": [{"targetName": "x"}]},
        )
        second = replace(first, version=2, name="Renamed", tags=(), details={})
        async with database.transaction() as tx:
            await tx.achievements.create(first)
            await tx.achievements.update(second, expected_version=1)
        read = database.read().achievements
        assert await read.get(first.id) == second
        assert await read.find(first.id, version=1) == first
        assert await read.get(first.id, version=2) == second
        assert await read.find(first.id, version=3) is None
        assert await read.find(first.id, version=2**40) is None
        assert await read.find_many([first.id, samples.new_id()]) == [second]
        with pytest.raises(RecordNotFound):
            await read.get(samples.new_id())

    async def test_an_update_of_an_older_version_is_refused(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        changed = replace(scene.achievement, version=2)
        async with database.transaction() as tx:
            await tx.achievements.update(changed, expected_version=1)
        with pytest.raises(PreconditionFailed):
            async with database.transaction() as tx:
                await tx.achievements.update(changed, expected_version=1)
        with pytest.raises(RecordNotFound):
            async with database.transaction() as tx:
                await tx.achievements.update(samples.achievement(scene.issuer.id), expected_version=1)

    async def test_pages_hold_newest_versions_of_one_issuer_or_all(self, database: Database) -> None:
        mine, yours = await samples.set_scene(database), await samples.set_scene(database)
        later = samples.achievement(mine.issuer.id)
        changed = replace(mine.achievement, version=2, name="Changed")
        async with database.transaction() as tx:
            await tx.achievements.create(later)
            await tx.achievements.update(changed, expected_version=1)
        read = database.read().achievements
        organisation = DEFAULT_ORGANISATION_ID
        assert await read.page(organisation, before=None, limit=9) == [later, yours.achievement, changed]
        assert await read.page(organisation, before=later.id, limit=1) == [yours.achievement]
        assert await read.page(organisation, issuer_id=mine.issuer.id, before=None, limit=9) == [later, changed]
        assert await read.page(organisation, issuer_id=mine.issuer.id, before=later.id, limit=9) == [changed]

    async def test_a_page_of_an_issuer_of_another_organisation_is_empty(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        read = database.read().achievements
        assert await read.page(samples.new_id(), issuer_id=scene.issuer.id, before=None, limit=9) == []

    async def test_its_issuer_must_be_there(self, database: Database) -> None:
        with pytest.raises(ForeignKeyViolation):
            async with database.transaction() as tx:
                await tx.achievements.create(samples.achievement(samples.new_id()))
