"""What concurrent transactions may see of one another. See `lapel.domain.ports`."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Isolation"]


class Isolation(StrEnum):
    """Isolation levels (SQL:2023). A database may give more than was asked, never less."""

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"
