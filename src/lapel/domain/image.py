"""Badge images, stored by content."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

__all__ = ["Image"]


class Image(Struct, frozen=True, kw_only=True):
    """One image.

    Attributes:
        digest: SHA-256 of `content`; unique within an organisation.
    """

    id: UUID
    organisation_id: UUID
    digest: bytes
    media_type: str
    content: bytes
    created_at: datetime
