"""An organisation (tenant): the owner of issuers and API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

__all__ = ["DEFAULT_ORGANISATION_ID", "Organisation"]

DEFAULT_ORGANISATION_ID = UUID("00000000-0000-7000-8000-000000000001")
"""The organisation that every database starts with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A tenant."""

    id: UUID
    name: str
    created_at: datetime
