"""Images: those of achievements by their own id, and how any image is sent."""

from __future__ import annotations

from uuid import UUID

from litestar import get
from litestar.params import FromPath

from lapel.http.answer import Answer
from lapel.http.call import Call, path_id
from lapel.http.documents import public_response
from lapel.http.kept_documents import KeptDocument, kept_documents
from lapel.http.openapi.operations import answers

__all__ = ["HANDLERS", "IMAGES", "achievement_image", "image_response"]

IMAGES = ("image/png", "image/svg+xml")
"""What an image can be."""

_SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""An SVG opened as a page is a document: it may style itself and nothing else."""


def image_response(
    request: Call,
    content: bytes,
    *,
    media_type: str,
    cache_control: str,
    etag: str | None = None,
    file_name: str | None = None,
) -> Answer:
    """An image for everybody; an SVG cannot run a script. `file_name` is the name it gets when saved."""
    headers = {"content-security-policy": _SVG_POLICY, "cross-origin-resource-policy": "cross-origin"}
    if file_name is not None:
        suffix = "svg" if media_type == "image/svg+xml" else "png"
        headers["content-disposition"] = f'inline; filename="{file_name}.{suffix}"'
    return public_response(
        request, content, media_type=media_type, cache_control=cache_control, etag=etag, headers=headers
    )


async def achievement_image(request: Call, achievement_id: UUID, *, version: int | None = None) -> Answer:
    """The achievement's image, without any credential in it; of the newest version unless told."""
    achievement = await request.services.achievements.get(achievement_id, version=version)
    picture = await request.services.images.image_of(achievement)
    return image_response(request, picture.content, media_type=picture.media_type, cache_control="public, max-age=300")


@get(
    "/v3/images/{image_id:str}",
    summary="An uploaded image; its content never changes",
    tags=["Images"],
    responses=answers(bytes, media_type=IMAGES, kept=True),
)
async def get_image(request: Call, image_id: FromPath[str]) -> Answer:
    found = path_id(image_id)

    async def load() -> KeptDocument:
        image = await request.services.images.get(found)
        return KeptDocument(image.content, image.media_type)

    kept = await kept_documents(request).get(("image", found), load)
    return image_response(
        request,
        kept.content,
        media_type=kept.media_type,
        cache_control="public, max-age=31536000, immutable",
        etag=kept.etag,
    )


HANDLERS = (get_image,)
"""The routes of this file."""
