"""Images, kept by content."""

from __future__ import annotations

from uuid import UUID

from lapel.database.repositories.base import EntityRepository, equal
from lapel.database.repositories.mapper import Mapper
from lapel.database.statement import InsertUnlessThere, Statement, insertion
from lapel.database.tables import images
from lapel.domain.image import Image

__all__ = ["SqlImageRepository"]

_mapper = Mapper(Image, images)

_CREATE_IF_ABSENT = insertion(images, InsertUnlessThere)
_FIND = Statement(_mapper.select.where(equal(images.c.id)))
_FIND_BY_DIGEST = Statement(_mapper.select.where(equal(images.c.organisation_id), equal(images.c.digest)))


class SqlImageRepository(EntityRepository[Image]):
    """`lapel.domain.ports.ImageRepository`."""

    entity = "image"
    mapper = _mapper

    async def create_if_absent(self, image: Image) -> Image:
        values = _mapper.values(image)
        if await self._execute("images.create_if_absent", _CREATE_IF_ABSENT, image.id, values):
            return image
        return self._first(await self._find("images.find_by_digest", _FIND_BY_DIGEST, **values), image.id)

    async def find(self, image_id: UUID) -> Image | None:
        return await self._find("images.find", _FIND, image_id, id=image_id)

    async def get(self, image_id: UUID) -> Image:
        return self._present(await self.find(image_id), image_id)
