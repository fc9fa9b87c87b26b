"""Status lists (W3C Bitstring Status List 1.0). Rows of credentials are the truth; the bitstring is computed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

__all__ = ["LIST_LENGTH", "ReservedPositions", "StatusList", "StatusPurpose"]

LIST_LENGTH = 131_072
"""Entries in one list: the least that Bitstring Status List 1.0 (2.2) allows, for the privacy of each."""


class StatusPurpose(StrEnum):
    """What a set bit means."""

    REVOCATION = "revocation"
    SUSPENSION = "suspension"


class StatusList(Struct, frozen=True, kw_only=True):
    """One shard of an issuer's status entries.

    The bits of a list for suspension tell whether credentials count: set while suspended, and for ever once revoked.
    Which of them are revoked is published under an address beside it, by the same positions.

    Attributes:
        allocated: how many positions have been handed out; a position becomes an index by a keyed permutation.
        version: one more at each change of any bit; the signed list is cached by it.
        seed: the permutation's key, 16 random bytes.
    """

    id: UUID
    organisation_id: UUID
    issuer_id: UUID
    purpose: StatusPurpose
    length: int
    allocated: int
    version: int
    seed: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedPositions:
    """Positions ``first`` to ``first + count - 1`` of a list, reserved for one process and never given out again."""

    status_list: StatusList
    first: int
    count: int
