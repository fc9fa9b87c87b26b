"""Baked badges: putting a credential into an image and extracting it (Open Badges 3.0, section 5.3).

`bake` and `unbake` detect the type of image by its content.
"""

from __future__ import annotations

from lapel.credentials.baking import png, svg
from lapel.credentials.baking.carrier import (
    MAX_IMAGE_BYTES,
    MAX_PAYLOAD_BYTES,
    BakedVersion,
    InvalidImage,
    InvalidPayload,
    NothingBaked,
    Unbaked,
)

__all__ = [
    "MAX_IMAGE_BYTES",
    "MAX_PAYLOAD_BYTES",
    "BakedVersion",
    "InvalidImage",
    "InvalidPayload",
    "NothingBaked",
    "Unbaked",
    "bake",
    "image_type",
    "strip",
    "unbake",
]


def image_type(image: bytes) -> str | None:
    """Return ``image/png``, ``image/svg+xml`` or None, by the first bytes alone."""
    if image.startswith(png.SIGNATURE):
        return png.MEDIA_TYPE
    if image[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return svg.MEDIA_TYPE
    return None


def bake(image: bytes, payload: str, *, version: BakedVersion = BakedVersion.OB_3_0) -> bytes:
    """Return the image with a credential inside, which replaces any of the same version.

    Args:
        image: PNG or SVG.
        payload: a credential as JSON, a compact JWS, or in 2.0 the URL of a hosted assertion.
        version: 3.0 or 2.0.

    Raises:
        InvalidImage: neither PNG nor SVG, or malformed.
        InvalidPayload: the payload cannot be embedded in such an image.
        TooLarge: a limit is exceeded.
    """
    if _require_media_type(image) == png.MEDIA_TYPE:
        return png.bake(image, payload, version=version)
    return svg.bake(image, payload, version=version)


def unbake(image: bytes) -> Unbaked:
    """Extract the payload from an image, without parsing or verifying it.

    Raises:
        NothingBaked: there is no Open Badge in the image.
        InvalidImage, TooLarge: as `bake`.
    """
    return png.unbake(image) if _require_media_type(image) == png.MEDIA_TYPE else svg.unbake(image)


def strip(image: bytes) -> bytes:
    """Remove every Open Badge from an image, as for an uploaded image into which badges will be baked.

    Raises:
        InvalidImage, TooLarge: as `bake`.
    """
    return png.strip(image) if _require_media_type(image) == png.MEDIA_TYPE else svg.strip(image)


def _require_media_type(image: bytes) -> str:
    kind = image_type(image)
    if kind is None:
        raise InvalidImage("This is neither a PNG nor an SVG image.", hint="Badges are baked into PNG or SVG.")
    return kind
