"""Achievements: one row that names the newest version, and one row for each version, which never changes."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from lapel.database.repositories.base import BaseRepository, before_or_last, bind
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import Statement, insertion
from lapel.database.tables import achievement_versions, achievements
from lapel.domain.achievement import Achievement
from lapel.domain.text import fold
from lapel.errors import PreconditionFailed

__all__ = ["SqlAchievementRepository"]

_mapper = Mapper(
    Achievement,
    achievement_versions,
    elsewhere={name: achievements.c[name] for name in ("id", "organisation_id", "issuer_id", "created_at")},
)
_select = sa.select(*_mapper.columns).select_from(
    achievements.join(achievement_versions, achievement_versions.c.achievement_id == achievements.c.id)
)
_newest = achievement_versions.c.version == achievements.c.version
_by_id = achievements.c.id == bind(achievements.c.id)


def _page(*filters: ColumnElement[object]) -> Statement:
    matching = [column == bind(column) for column in filters]
    return Statement(
        _select.where(*matching, _newest, achievements.c.id < bind(achievements.c.id, "before"))
        .order_by(achievements.c.id.desc())
        .limit(sa.bindparam("limit", type_=sa.Integer()))
    )


_CREATE = insertion(achievements)
_CREATE_VERSION = insertion(achievement_versions)
_FIND = Statement(_select.where(_by_id, _newest))
_FIND_VERSION = Statement(_select.where(_by_id, achievement_versions.c.version == bind(achievement_versions.c.version)))
_PAGE = _page(achievements.c.organisation_id)
_PAGE_OF_BOTH = _page(achievements.c.organisation_id, achievements.c.issuer_id)
_PAGE_OF_ISSUER = _page(achievements.c.issuer_id)
_ADVANCE = Statement(
    sa.update(achievements)
    .where(
        achievements.c.id == bind(achievements.c.id, "key"),
        achievements.c.version == bind(achievements.c.version, "expected_version"),
    )
    .values(version=bind(achievements.c.version), name_folded=bind(achievements.c.name_folded))
)


class SqlAchievementRepository(BaseRepository):
    """`lapel.domain.ports.AchievementRepository`."""

    entity = "achievement"

    async def create(self, achievement: Achievement) -> None:
        values = {**_mapper.values(achievement), "name_folded": fold(achievement.name)}
        await self._execute("achievements.create", _CREATE, achievement.id, values)
        await self._create_version(achievement)

    async def find(self, achievement_id: UUID, *, version: int | None = None) -> Achievement | None:
        if version is None:
            row = await self._one("achievements.find", _FIND, achievement_id, id=achievement_id)
        else:
            row = await self._one(
                "achievements.find_version", _FIND_VERSION, achievement_id, id=achievement_id, version=version
            )
        return _mapper.entity(row) if row else None

    async def get(self, achievement_id: UUID, *, version: int | None = None) -> Achievement:
        found = await self.find(achievement_id, version=version)
        if found is None:
            raise self._missing(achievement_id)
        return found

    async def page(
        self, organisation_id: UUID, *, issuer_id: UUID | None = None, before: UUID | None, limit: int
    ) -> list[Achievement]:
        rows = await self._all(
            "achievements.page",
            _PAGE if issuer_id is None else _PAGE_OF_BOTH,
            issuer_id,
            organisation_id=organisation_id,
            issuer_id=issuer_id,
            before=before_or_last(before),
            limit=limit,
        )
        return _mapper.entities(rows)

    async def page_of_issuer(self, issuer_id: UUID, *, before: UUID | None, limit: int) -> list[Achievement]:
        rows = await self._all(
            "achievements.page_of_issuer",
            _PAGE_OF_ISSUER,
            issuer_id,
            issuer_id=issuer_id,
            before=before_or_last(before),
            limit=limit,
        )
        return _mapper.entities(rows)

    async def update(self, achievement: Achievement, *, expected_version: int) -> None:
        self._recorder.changed.append(("achievement", achievement.id))
        parameters = {
            "key": achievement.id,
            "expected_version": expected_version,
            "version": achievement.version,
            "name_folded": fold(achievement.name),
        }
        if not await self._execute("achievements.update", _ADVANCE, achievement.id, parameters):
            await self.get(achievement.id)
            raise PreconditionFailed(f"Achievement {achievement.id} is no longer at version {expected_version}.")
        await self._create_version(achievement)

    async def _create_version(self, achievement: Achievement) -> None:
        values = {**_mapper.values(achievement), "achievement_id": achievement.id}
        await self._execute("achievements.create_version", _CREATE_VERSION, achievement.id, values)
