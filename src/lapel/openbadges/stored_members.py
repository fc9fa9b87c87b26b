"""The additional members that are stored with an issuer or achievement.

All are in OB 3.0's wire form except two: ``extensions``, which appear in Open Badges 2.0 only, and ``image``, which
holds members of the Image object other than its address; of those, ``author`` appears in 2.0 only.
"""

from __future__ import annotations

from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import object_of

__all__ = ["EXTENSIONS", "IMAGE", "image_object", "wire_image", "wire_members"]

EXTENSIONS: Final = "extensions"
IMAGE: Final = "image"
_AUTHOR: Final = "author"


def wire_members(stored: JsonObject) -> dict[str, JsonValue]:
    """Return the members that an OB 3.0 object has unchanged."""
    return {name: value for name, value in stored.items() if name not in (EXTENSIONS, IMAGE)}


def image_object(address: str, stored: JsonObject) -> JsonObject:
    """Return the Image object with all stored members (OB 2.0, Image)."""
    return {"id": address, "type": "Image", **object_of(stored.get(IMAGE))}


def wire_image(address: str, stored: JsonObject) -> JsonObject:
    """Return the Image object of OB 3.0 (Image class)."""
    return {name: value for name, value in image_object(address, stored).items() if name != _AUTHOR}
