"""Achievements: one row that names the newest version, and one row for each version, which never changes."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import EntityRepository, any_of, bind, deletion, equal, ordered_page_of, page_of
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import achievement_versions, achievements, credentials
from lapel.domain.achievement import Achievement
from lapel.domain.listing import fold_name
from lapel.errors import PreconditionFailed

__all__ = ["SqlAchievementRepository"]

_mapper = Mapper(
    Achievement,
    achievement_versions,
    elsewhere={name: achievements.c[name] for name in ("id", "organisation_id", "issuer_id", "created_at")},
    derived={"name_folded": lambda achievement: fold_name(achievement.name), "achievement_id": lambda found: found.id},
)
_select = _mapper.select.select_from(
    achievements.join(achievement_versions, achievement_versions.c.achievement_id == achievements.c.id)
)
_newest = _select.where(achievement_versions.c.version == achievements.c.version)
_by_id = equal(achievements.c.id)
_of_organisation = equal(achievements.c.organisation_id)
_of_issuer = equal(achievements.c.issuer_id)

_CREATE = insertion(achievements)
_CREATE_VERSION = insertion(achievement_versions)
_FIND = Statement(_newest.where(_by_id))
_FIND_VERSION = Statement(_select.where(_by_id, equal(achievement_versions.c.version)))
_PAGE = page_of(_newest, achievements.c.id, _of_organisation)
_PAGE_OF_BOTH = page_of(_newest, achievements.c.id, _of_organisation, _of_issuer)
_PAGE_OF_ISSUER = page_of(_newest, achievements.c.id, _of_issuer)
_BY_NAME = {
    of_issuer: ordered_page_of(
        _newest,
        achievements.c.name_folded,
        achievements.c.id,
        *(_of_organisation, _of_issuer)[: 1 + of_issuer],
        descending=False,
    )
    for of_issuer in (False, True)
}
_ADVANCE = Statement(
    sa.update(achievements)
    .where(equal(achievements.c.id, "key"), equal(achievements.c.version, "expected_version"))
    .values(version=bind(achievements.c.version), name_folded=bind(achievements.c.name_folded))
)
_LOCK = Statement(_newest.where(_by_id).with_for_update(of=achievements))
_USES = {"credentials": any_of(credentials.c.achievement_id)}
_DELETIONS = (deletion(achievement_versions.c.achievement_id), deletion(achievements.c.id))


class SqlAchievementRepository(EntityRepository[Achievement]):
    """`lapel.domain.ports.AchievementRepository`."""

    entity = "achievement"
    mapper = _mapper

    async def create(self, achievement: Achievement) -> None:
        await self._execute("achievements.create", _CREATE, achievement.id, _mapper.values(achievement))
        await self._execute("achievements.create_version", _CREATE_VERSION, achievement.id, _mapper.row(achievement))

    async def find(self, achievement_id: UUID, *, version: int | None = None) -> Achievement | None:
        key = achievement_id.bytes
        if version is None:
            return await self._cached(key, "achievements.find", _FIND, achievement_id, id=achievement_id)
        return await self._cached(
            (key, version),
            "achievements.find_version",
            _FIND_VERSION,
            achievement_id,
            lasting=True,
            id=achievement_id,
            version=version,
        )

    async def get(self, achievement_id: UUID, *, version: int | None = None) -> Achievement:
        return self._present(await self.find(achievement_id, version=version), achievement_id)

    async def page(
        self, organisation_id: UUID, *, issuer_id: UUID | None = None, before: UUID | None, limit: int
    ) -> list[Achievement]:
        return await self._page(
            "achievements.page",
            _PAGE if issuer_id is None else _PAGE_OF_BOTH,
            issuer_id,
            before=before,
            limit=limit,
            organisation_id=organisation_id,
            issuer_id=issuer_id,
        )

    async def page_by_name(
        self,
        organisation_id: UUID,
        prefix: str,
        *,
        issuer_id: UUID | None = None,
        after: tuple[str, UUID] | None,
        limit: int,
    ) -> list[Achievement]:
        return await self._page_by_name(
            "achievements.page_by_name",
            _BY_NAME[issuer_id is not None],
            prefix,
            after=after,
            limit=limit,
            organisation_id=organisation_id,
            issuer_id=issuer_id,
        )

    async def page_of_issuer(self, issuer_id: UUID, *, before: UUID | None, limit: int) -> list[Achievement]:
        return await self._page(
            "achievements.page_of_issuer", _PAGE_OF_ISSUER, issuer_id, before=before, limit=limit, issuer_id=issuer_id
        )

    async def update(self, achievement: Achievement, *, expected_version: int) -> None:
        self._changed(achievement.id.bytes)
        values = {**_mapper.values(achievement), "key": achievement.id, "expected_version": expected_version}
        if not await self._execute("achievements.update", _ADVANCE, achievement.id, values):
            await self.get(achievement.id)
            raise PreconditionFailed(f"Achievement {achievement.id} is no longer at version {expected_version}.")
        await self._execute("achievements.create_version", _CREATE_VERSION, achievement.id, _mapper.row(achievement))

    async def delete(self, achievement_id: UUID) -> Achievement:
        found = await self._find("achievements.lock", _LOCK, achievement_id, id=achievement_id)
        return await self._remove(found, achievement_id, uses=_USES, deletions=_DELETIONS)
