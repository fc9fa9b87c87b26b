"""Status lists (W3C Bitstring Status List 1.0). Bitstrings are computed from the credentials' rows, never stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

__all__ = ["LIST_LENGTH", "ReservedPositions", "StatusList", "StatusPurpose"]

LIST_LENGTH = 131_072
"""Entries in one list: the minimum of Bitstring Status List 1.0 (2.2), which protects the privacy of holders."""


class StatusPurpose(StrEnum):
    """The meaning of a set bit."""

    REVOCATION = "revocation"
    SUSPENSION = "suspension"


class StatusList(Struct, frozen=True, kw_only=True):
    """One shard of an issuer's status entries.

    A bit in a suspension list is set while its credential is suspended, and permanently once it is revoked. A second
    list under an address of its own, with the same indices, shows which of them are revoked.

    Attributes:
        allocated: how many positions have been allocated; a keyed permutation turns a position into an index.
        version: grows by one whenever a bit changes; the signed list is cached by version.
        seed: the key of the permutation, 16 random bytes.
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
    """Positions ``first`` to ``first + count - 1`` of a list, reserved for one process and never allocated again."""

    status_list: StatusList
    first: int
    count: int
