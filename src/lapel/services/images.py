"""Badge images: checked when they are added, and stored once for each content."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes
from uuid import UUID

from msgspec import UNSET, UnsetType

from lapel.credentials.baking import InvalidImage, png, svg
from lapel.domain.access import Principal, Scope
from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action
from lapel.domain.fetching import FetchFailed
from lapel.domain.identifiers import parse_id
from lapel.domain.image import Image
from lapel.domain.json import JsonObject
from lapel.domain.ports import Clock, Fetcher, IdSource, Store, Transaction
from lapel.errors import FieldError, InvalidInput, LapelError, TooLarge
from lapel.openbadges.drawing import draw
from lapel.openbadges.problems import Problems
from lapel.openbadges.shapes import ImageReference
from lapel.openbadges.syntax import url_problem
from lapel.services.auditing.recording import record
from lapel.services.svg_safety import check_svg

__all__ = ["MAX_IMAGE_BYTES", "Images", "Picture"]

MAX_IMAGE_BYTES: Final = 1024 * 1024

_ACCEPT: Final = f"{png.MEDIA_TYPE}, {svg.MEDIA_TYPE}"


@dataclass(frozen=True, slots=True)
class Picture:
    """An image to show: stored, or drawn by Lapel.

    Attributes:
        image_id: None for a drawn image, which changes with the achievement's name.
    """

    content: bytes
    media_type: str
    image_id: UUID | None


class Images:
    """Stores, fetches and returns images."""

    def __init__(self, *, store: Store, clock: Clock, new_id: IdSource, addresses: Addresses, fetcher: Fetcher) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._addresses = addresses
        self._fetcher = fetcher

    async def upload(self, principal: Principal, content: bytes) -> Image:
        """Store an image, without any credential that is baked into it. Its content determines its type.

        Raises:
            Forbidden: neither scope ``issuers:write`` nor ``achievements:write``.
            TooLarge: the image has more than MAX_IMAGE_BYTES.
            InvalidImage, UnsafeSvg: it is neither a well-formed PNG nor a safe SVG.
        """
        if Scope.ISSUERS_WRITE not in principal.scopes:
            principal.require(Scope.ACHIEVEMENTS_WRITE)
        # In a thread, because checking a megabyte of XML takes a while, and other requests should not wait for it.
        content, media_type = await asyncio.to_thread(_checked, content)
        image = Image(
            id=self._new_id(),
            organisation_id=principal.organisation_id,
            digest=hashlib.sha256(content).digest(),
            media_type=media_type,
            content=content,
            created_at=self._clock(),
        )
        audited: JsonObject = {"mediaType": media_type, "bytes": len(content), "sha256": image.digest.hex()}

        async def body(tx: Transaction) -> Image:
            stored = await tx.images.create_if_absent(image)
            if stored.id == image.id:
                await record(tx, principal, Action.IMAGE_ADDED, image.id, after=audited)
            return stored

        return await self._store.run(body, idempotent=True)

    async def get(self, image_id: UUID) -> Image:
        """Return a stored image, of any organisation: images are public. Raises NotFound."""
        return await self._store.read().images.get(image_id)

    async def import_image(self, principal: Principal, source: str | ImageReference) -> Image:
        """Return the stored image that `source` names: a ``data:`` URL, a web address, fetched now, or an id here.

        Raises:
            InvalidInput: with a FieldError at ``/image``.
        """
        text = source if isinstance(source, str) else source.id
        if isinstance(source, ImageReference) and source.type not in (None, "Image", ["Image"]):
            raise _refused("/image/type", "must be Image", "not_allowed")
        try:
            return await self._import(principal, text)
        except (InvalidInput, TooLarge, FetchFailed) as error:
            if error.errors:  # they say already what is wrong, and where
                raise
            raise _refused("/image", f"could not be used: {error.detail}", error.code, error) from error

    async def resolve(
        self,
        principal: Principal,
        problems: Problems,
        source: str | ImageReference | UnsetType | None,
    ) -> UUID | UnsetType | None:
        """Return the id of the image that a request's ``image`` names, see `import_image`; None and UNSET as they are.

        Nothing is fetched for a request that has problems already. A new problem is recorded, and UNSET returned.
        """
        if source is None or source is UNSET:
            return source
        if not problems:
            try:
                return (await self.import_image(principal, source)).id
            except InvalidInput as error:
                problems.include("", error)
        return UNSET

    async def _import(self, principal: Principal, text: str) -> Image:
        if text[:5].lower() == "data:":
            # In a thread for the same reason as in `upload`: a megabyte may be three, each of its bytes as an escape.
            return await self.upload(principal, await asyncio.to_thread(_data_url, text))
        own = self._addresses.own_id(text, collection="/v3/images")
        if own == text and (problem := url_problem(text)) is None:
            fetched = await self._fetcher.fetch(text, accept=_ACCEPT, max_bytes=MAX_IMAGE_BYTES)
            return await self.upload(principal, fetched.body)
        try:
            image = principal.own(await self._store.read().images.find(parse_id(own)))
        except InvalidInput:
            problem = "must be a web address, a data: URL, or the id of an image that was uploaded here"
            raise _refused("/image", problem, "bad_image") from None
        if image is None:
            raise _refused("/image", "is not an image that was uploaded here", "not_found")
        return image

    async def image_of(self, achievement: Achievement) -> Picture:
        """Return the achievement's image, or the one that Lapel draws for it."""
        if achievement.image_id is None:
            return Picture(draw(achievement.name, achievement.id), svg.MEDIA_TYPE, None)
        image = await self.get(achievement.image_id)
        return Picture(image.content, image.media_type, image.id)


def _checked(content: bytes) -> tuple[bytes, str]:
    """Return the image, without baked credentials and the like, and its media type."""
    if len(content) > MAX_IMAGE_BYTES:
        raise TooLarge(f"An image may have at most {MAX_IMAGE_BYTES:,} bytes, not {len(content):,}.")
    if content.startswith(png.SIGNATURE):
        return png.strip(content), png.MEDIA_TYPE
    if b"<" in content[:1024]:
        stripped = svg.strip(content)
        check_svg(stripped)
        return stripped, svg.MEDIA_TYPE
    raise InvalidImage("This is neither a PNG nor an SVG image.", hint="Open Badges can only be baked into these two.")


def _data_url(text: str) -> bytes:
    """Return the content of a ``data:`` URL (RFC 2397). Raises InvalidImage and TooLarge."""
    header, comma, data = text[5:].partition(",")
    if not comma:
        raise InvalidImage("This data: URL has no comma.")
    if len(data) > 3 * MAX_IMAGE_BYTES:
        raise TooLarge(f"An image may have at most {MAX_IMAGE_BYTES:,} bytes.")
    try:
        unquoted = unquote_to_bytes(data)
        if header.lower().endswith(";base64"):
            return base64.b64decode(b"".join(unquoted.split()), validate=True)
    except (binascii.Error, ValueError) as error:  # a lone surrogate is a ValueError, too
        raise InvalidImage("The content of this data: URL cannot be read.") from error
    return unquoted


def _refused(pointer: str, detail: str, code: str, cause: LapelError | None = None) -> InvalidInput:
    detail = detail.rstrip(".")
    return InvalidInput(
        f"{pointer} {detail}.", hint=cause.hint if cause else None, errors=[FieldError(pointer, detail, code)]
    )
