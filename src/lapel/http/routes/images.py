"""``/v3/images``: uploaded images by their own id; and the answer with an image that other routes send."""

from __future__ import annotations

from uuid import UUID

from litestar import get
from litestar.params import FromPath

from lapel.http.answer import Answer
from lapel.http.call import Call, path_id
from lapel.http.document_cache import CachedDocument, document_cache
from lapel.http.documents import FIVE_MINUTES, public_response
from lapel.http.openapi.operations import answer_of, answers

__all__ = ["HANDLERS", "IMAGES", "achievement_image", "image_response"]

IMAGES = ("image/png", "image/svg+xml")
"""The media types of images."""

_SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""A browser opens an SVG as a document. It may apply its own styles, and must not run scripts or load anything."""


def image_response(
    request: Call,
    content: bytes,
    *,
    media_type: str,
    cache_control: str,
    etag: str | None = None,
    file_name: str | None = None,
) -> Answer:
    """Answer with a public image. An SVG cannot run scripts. `file_name`, without suffix, is for saving the image."""
    headers = {"content-security-policy": _SVG_POLICY, "cross-origin-resource-policy": "cross-origin"}
    if file_name is not None:
        suffix = "svg" if media_type == "image/svg+xml" else "png"
        headers["content-disposition"] = f'inline; filename="{file_name}.{suffix}"'
    return public_response(
        request, content, media_type=media_type, cache_control=cache_control, etag=etag, headers=headers
    )


async def achievement_image(request: Call, achievement_id: UUID, *, version: int | None = None) -> Answer:
    """Answer with an achievement's image, without a credential in it; that of the newest version by default."""
    achievement = await request.services.achievements.get(achievement_id, version=version)
    image = await request.services.images.image_of(achievement)
    return image_response(request, image.content, media_type=image.media_type, cache_control=FIVE_MINUTES)


@get(
    "/v3/images/{image_id:str}",
    summary="An uploaded image; its content never changes",
    tags=["Images"],
    responses=answers(answer_of(bytes, media_type=IMAGES, cacheable=True)),
)
async def get_image(request: Call, image_id: FromPath[str]) -> Answer:
    uuid = path_id(image_id)

    async def load() -> CachedDocument:
        image = await request.services.images.get(uuid)
        return CachedDocument(image.content, image.media_type)

    cached = await document_cache(request).get(("image", uuid), load)
    return image_response(
        request,
        cached.content,
        media_type=cached.media_type,
        cache_control="public, max-age=31536000, immutable",
        etag=cached.etag,
    )


HANDLERS = (get_image,)
"""The routes of this file."""
