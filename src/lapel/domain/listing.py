"""Filters for lists of credentials, and the folded names by which lists are searched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from lapel.domain.credential import CredentialStatus
from lapel.domain.text import fold

__all__ = ["ALL_CREDENTIALS", "MAX_FOLDED_LENGTH", "CredentialFilter", "fold_name"]

MAX_FOLDED_LENGTH: Final = 200
"""How many characters of a folded name are stored: the entries of an index are limited to a few thousand bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFilter:
    """Selects the credentials that match every field that is set.

    Attributes:
        recipient_lookup: as in `lapel.domain.credential.Credential`.
        created_since, created_before: bounds of ``created_at``; the first is inclusive, the second exclusive.
        valid_since, valid_before: the same for ``valid_from``.
    """

    issuer_id: UUID | None = None
    achievement_id: UUID | None = None
    recipient_lookup: bytes | None = None
    status: CredentialStatus | None = None
    created_since: datetime | None = None
    created_before: datetime | None = None
    valid_since: datetime | None = None
    valid_before: datetime | None = None

    @property
    def by_validity(self) -> bool:
        """Whether the list is ordered by ``valid_from`` instead of by the time of issue."""
        return self.valid_since is not None or self.valid_before is not None


ALL_CREDENTIALS: Final = CredentialFilter()


def fold_name(name: str) -> str:
    """Return a name as it is stored for prefix searches."""
    return fold(name)[:MAX_FOLDED_LENGTH]
