"""What a list is narrowed by, and where one of its pages goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from lapel.domain.credential import CredentialStatus
from lapel.domain.text import fold

__all__ = ["ALL_CREDENTIALS", "LONGEST_FOLDED", "CredentialFilter", "fold_name"]

LONGEST_FOLDED: Final = 200
"""Characters of a folded name that are kept for searches: an index holds no more than some thousand bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFilter:
    """Which credentials are wanted: those for which everything holds that is given.

    Attributes:
        recipient_lookup: as in `lapel.domain.credential.Credential`.
        created_since, valid_since: these moments and later ones.
        created_before, valid_before: earlier ones. Of ``valid_…`` it is ``valid_from`` that counts.
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
        """Whether the list is in the order of ``valid_from``, in place of that in which they were issued."""
        return self.valid_since is not None or self.valid_before is not None


ALL_CREDENTIALS: Final = CredentialFilter()


def fold_name(name: str) -> str:
    """A name as it is kept for searches, which find what begins with the same."""
    return fold(name)[:LONGEST_FOLDED]
