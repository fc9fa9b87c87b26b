"""The repository of achievements: one row with the newest version's number, and an immutable row for each version."""

from __future__ import annotations

from uuid import UUID

from lapel.database.repositories.base import VersionedRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import any_of, deletion, equal, ordered_page_of, page_of, update
from lapel.database.statement import Statement, insertion
from lapel.database.tables import achievement_versions, achievements, credentials
from lapel.domain.achievement import Achievement
from lapel.domain.listing import fold_name

__all__ = ["SqlAchievementRepository"]

_mapper = Mapper(
    Achievement,
    achievement_versions,
    elsewhere={name: achievements.c[name] for name in ("id", "organisation_id", "issuer_id", "created_at")},
    derived={"name_folded": lambda achievement: fold_name(achievement.name), "achievement_id": lambda each: each.id},
)
_id, _name = achievements.c.id, achievements.c.name_folded
_select = _mapper.select.join_from(achievements, achievement_versions)
_newest = _select.where(achievement_versions.c.version == achievements.c.version)
_of_organisation, _of_issuer = equal(achievements.c.organisation_id), equal(achievements.c.issuer_id)

_CREATE_VERSION = insertion(achievement_versions)
_FIND_VERSION = Statement(_select.where(equal(_id), equal(achievement_versions.c.version)))
_PAGE = page_of(_newest, _id, _of_organisation)
_PAGE_OF_ISSUER = page_of(_newest, _id, _of_issuer, equal(achievements.c.organisation_id, indexed=False))
_BY_NAME = ordered_page_of(_newest, _name, _id, _of_organisation)
_BY_NAME_OF_ISSUER = ordered_page_of(_newest, _name, _id, _of_organisation, _of_issuer)
_ADVANCE = update(achievements, ["version", "name_folded"], equal(achievements.c.version, "expected_version"))
_USES = {"credentials": any_of(credentials.c.achievement_id)}
_DELETIONS = (deletion(achievement_versions.c.achievement_id), deletion(_id))


class SqlAchievementRepository(VersionedRepository[Achievement]):
    """`lapel.domain.ports.AchievementRepository`."""

    entity = "achievement"
    table = achievements
    mapper = _mapper
    select = _newest
    advance, uses, deletions = _ADVANCE, _USES, _DELETIONS

    async def create(self, achievement: Achievement) -> None:
        await self._execute("achievements.create", insertion(achievements), _mapper.values(achievement))
        await self._create_version(achievement)

    async def _create_version(self, achievement: Achievement) -> None:
        await self._execute("achievements.create_version", _CREATE_VERSION, _mapper.row(achievement))

    async def find(self, achievement_id: UUID, *, version: int | None = None) -> Achievement | None:
        key = achievement_id.bytes
        if version is None:
            return await self._cached(key, "achievements.find", self._FIND, id=achievement_id)
        ids = {"id": achievement_id, "version": version}
        return await self._cached((key, version), "achievements.find_version", _FIND_VERSION, immutable=True, **ids)

    async def get(self, achievement_id: UUID, *, version: int | None = None) -> Achievement:
        return self._present(await self.find(achievement_id, version=version), achievement_id)

    async def page(
        self, organisation_id: UUID, *, issuer_id: UUID | None = None, before: UUID | None, limit: int
    ) -> list[Achievement]:
        page = _PAGE if issuer_id is None else _PAGE_OF_ISSUER
        owners = {"organisation_id": organisation_id, "issuer_id": issuer_id}
        return await self._page("achievements.page", page, before=before, limit=limit, **owners)

    async def page_by_name(
        self,
        organisation_id: UUID,
        prefix: str,
        *,
        issuer_id: UUID | None = None,
        after: tuple[str, UUID] | None,
        limit: int,
    ) -> list[Achievement]:
        page = _BY_NAME if issuer_id is None else _BY_NAME_OF_ISSUER
        owners = {"organisation_id": organisation_id, "issuer_id": issuer_id}
        return await self._page_by_name("achievements.page_by_name", page, prefix, after, limit=limit, **owners)

    async def update(self, achievement: Achievement, *, expected_version: int) -> None:
        await super().update(achievement, expected_version=expected_version)
        await self._create_version(achievement)
