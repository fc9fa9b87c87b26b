"""Images, kept by content."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from lapel.database.repositories.base import BaseRepository, bind
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.upsert import insert_unless_there
from lapel.database.statement import Statement
from lapel.database.tables import images
from lapel.domain.image import Image

__all__ = ["SqlImageRepository"]

_mapper = Mapper(Image, images)
_select = sa.select(*_mapper.columns)

_CREATE_IF_ABSENT = insert_unless_there(images)
_FIND = Statement(_select.where(images.c.id == bind(images.c.id)))
_FIND_BY_DIGEST = Statement(
    _select.where(images.c.organisation_id == bind(images.c.organisation_id), images.c.digest == bind(images.c.digest))
)


class SqlImageRepository(BaseRepository):
    """`lapel.domain.ports.ImageRepository`."""

    entity = "image"

    async def create_if_absent(self, image: Image) -> Image:
        if await self._execute("images.create_if_absent", _CREATE_IF_ABSENT, image.id, _mapper.values(image)):
            return image
        row = await self._one(
            "images.find_by_digest",
            _FIND_BY_DIGEST,
            organisation_id=image.organisation_id,
            digest=image.digest,
        )
        if row is None:
            raise self._taken(image.id)
        return _mapper.entity(row)

    async def find(self, image_id: UUID) -> Image | None:
        row = await self._one("images.find", _FIND, image_id, id=image_id)
        return _mapper.entity(row) if row else None

    async def get(self, image_id: UUID) -> Image:
        found = await self.find(image_id)
        if found is None:
            raise self._missing(image_id)
        return found
