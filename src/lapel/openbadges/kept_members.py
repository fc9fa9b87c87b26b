"""The further members of an issuer or achievement as they are kept: those of OB 3.0's wire form, and two that are not.

``extensions`` are shown by Open Badges 2.0 only. ``image`` is what is known of the image beside its address; its
``author`` is shown by 2.0 only, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lapel.domain.json import JsonObject, JsonValue

__all__ = ["EXTENSIONS", "IMAGE", "image_object", "kept_object", "wire_image", "wire_members"]

EXTENSIONS: Final = "extensions"
IMAGE: Final = "image"
_AUTHOR: Final = "author"


def wire_members(kept: JsonObject) -> dict[str, JsonValue]:
    """Those that an OB 3.0 object has as they are."""
    return {name: value for name, value in kept.items() if name not in (EXTENSIONS, IMAGE)}


def kept_object(kept: JsonObject, name: str) -> JsonObject:
    """The object that is kept under that name; an empty one where there is none."""
    found = kept.get(name)
    return found if isinstance(found, Mapping) else {}


def image_object(address: str, kept: JsonObject) -> JsonObject:
    """The Image object with all that is kept of it (OB 2.0, Image)."""
    return {"id": address, "type": "Image", **kept_object(kept, IMAGE)}


def wire_image(address: str, kept: JsonObject) -> JsonObject:
    """The Image object of OB 3.0 (Image class)."""
    return {name: value for name, value in image_object(address, kept).items() if name != _AUTHOR}
