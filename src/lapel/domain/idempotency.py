"""Requests that take effect once, however often they are sent (draft-ietf-httpapi-idempotency-key-header)."""

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
    """A request with an idempotency key.

    It is stored in the same transaction as its effect, so a stored request is one that has been carried out.

    Attributes:
        id: derived from the key and its owner, so that the same key always has the same id.
        fingerprint: an HMAC of the request; like `id`, it does not let anyone test a guess of what it was made from.
        outcome: the ids, and only the ids, of what the request created or changed; for an item that failed, the error.
    """

    id: UUID
    organisation_id: UUID
    fingerprint: bytes
    created_at: datetime
    outcome: Sequence[JsonValue] = ()

    def with_outcome(self, *outcome: UUID | JsonValue) -> Self:
        """Return this request with its outcome."""
        return replace(self, outcome=[str(each) if isinstance(each, UUID) else each for each in outcome])

    @property
    def entity_id(self) -> UUID:
        """The id of the single entity that the request created or changed."""
        (only,) = self.outcome
        return UUID(str(only))
