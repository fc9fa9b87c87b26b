"""An organisation (tenant): the owner of issuers and API keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

__all__ = ["DEFAULT_ORGANISATION_ID", "Organisation"]

DEFAULT_ORGANISATION_ID = UUID("00000000-0000-7000-8000-000000000001")
"""The organisation that every database starts with."""


class Organisation(Struct, frozen=True, kw_only=True):
    """A tenant."""

    id: UUID
    name: str
    created_at: datetime
