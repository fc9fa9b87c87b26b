"""What was being done when something went wrong."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OperationContext"]


@dataclass(frozen=True, slots=True)
class OperationContext:
    """One operation on the database.

    Attributes:
        operation: ``aggregate.verb``, such as ``credentials.create``.
        entity: what it is about (``credential``).
        entity_id: which one, where one is meant.
        transaction_id: the transaction it ran in; None outside one.
        attempt: 1 at first, one more at each retry.
    """

    operation: str
    entity: str
    entity_id: str | None = None
    transaction_id: str | None = None
    attempt: int = 1

    def __str__(self) -> str:
        about = f" of {self.entity} {self.entity_id}" if self.entity_id else ""
        within = f" in transaction {self.transaction_id}" if self.transaction_id else ""
        return f"{self.operation}{about}{within} (attempt {self.attempt})"
