"""Requests that have their effect once, however often they come (draft-ietf-httpapi-idempotency-key-header)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from lapel.domain.json import JsonValue
from lapel.errors import Conflict

__all__ = ["DoneBefore", "IdempotentRequest"]


class DoneBefore(Conflict):
    """This request has already been carried out."""

    code = "done_before"


class IdempotentRequest(Struct, frozen=True, kw_only=True):
    """A request that came with an idempotency key. Stored, in the transaction of its effect, it says that that is done.

    Attributes:
        id: made of the key and of whose it is, so that the same key has the same one.
        fingerprint: of what is asked for; like `id` an HMAC, of which nobody can try out what it was made of.
        outcome: what it made or changed: ids, never what stands behind them. An item that failed is told why.
    """

    id: UUID
    organisation_id: UUID
    fingerprint: bytes
    created_at: datetime
    outcome: Sequence[JsonValue] = ()

    def done(self, *outcome: UUID | JsonValue) -> Self:
        """This request with what became of it."""
        return replace(self, outcome=[str(each) if isinstance(each, UUID) else each for each in outcome])

    @property
    def made(self) -> UUID:
        """The one thing that it made or changed."""
        (only,) = self.outcome
        return UUID(str(only))
