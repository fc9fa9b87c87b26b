"""Baked badges: a credential inside an image, put in and taken out (Open Badges 3.0, section 5.3).

`bake` and `unbake` tell the kind of image by its content.
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
    "media_type",
    "strip",
    "unbake",
]


def media_type(image: bytes) -> str | None:
    """``image/png`` or ``image/svg+xml`` by the first bytes, or None. The rest is not looked at."""
    if image.startswith(png.SIGNATURE):
        return png.MEDIA_TYPE
    if image[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return svg.MEDIA_TYPE
    return None


def bake(image: bytes, payload: str, *, version: BakedVersion = BakedVersion.OB_3_0) -> bytes:
    """The image with a credential inside, in place of one of the same version.

    Args:
        image: PNG or SVG.
        payload: a credential as JSON, a compact JWS, or in 2.0 the URL of a hosted assertion.
        version: 3.0 or 2.0.

    Raises:
        InvalidImage: neither PNG nor SVG, or not sound.
        InvalidPayload: it cannot stand in such an image.
        TooLarge: a limit is exceeded.
    """
    if _known(image) == png.MEDIA_TYPE:
        return png.bake(image, payload, version=version)
    return svg.bake(image, payload, version=version)


def unbake(image: bytes) -> Unbaked:
    """What is baked into the image; it is not verified, not even read.

    Raises:
        NothingBaked: there is no Open Badge in it.
        InvalidImage, TooLarge: as `bake`.
    """
    return png.unbake(image) if _known(image) == png.MEDIA_TYPE else svg.unbake(image)


def strip(image: bytes) -> bytes:
    """The image without any Open Badge: for an image that somebody uploads to be baked by others.

    Raises:
        InvalidImage, TooLarge: as `bake`.
    """
    return png.strip(image) if _known(image) == png.MEDIA_TYPE else svg.strip(image)


def _known(image: bytes) -> str:
    kind = media_type(image)
    if kind is None:
        raise InvalidImage("This is neither a PNG nor an SVG image.", hint="Badges are baked into PNG or SVG.")
    return kind
