"""The repository of images, which are unique by content."""

from __future__ import annotations

from functools import partial

from lapel.database.repositories.base import EntityRepository
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import equal
from lapel.database.statement import Statement
from lapel.database.tables import images
from lapel.domain.image import Image

__all__ = ["SqlImageRepository"]

_mapper = Mapper(Image, images)
_FIND_BY_DIGEST = Statement(_mapper.select.where(equal(images.c.organisation_id), equal(images.c.digest)))


class SqlImageRepository(EntityRepository[Image]):
    """`lapel.domain.ports.ImageRepository`."""

    entity = "image"
    mapper = _mapper

    async def create_if_absent(self, image: Image) -> Image:
        content = {"organisation_id": image.organisation_id, "digest": image.digest}
        find = partial(self._find, "images.find_by_digest", _FIND_BY_DIGEST, **content)
        return await self._create_if_absent("images.create_if_absent", image, find)
