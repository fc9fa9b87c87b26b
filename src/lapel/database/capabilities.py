"""What a database can do. Other code checks these flags, never a database's name."""

from __future__ import annotations

from dataclasses import dataclass

from lapel.domain.ports import Isolation

__all__ = ["Capabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The capabilities of one database product, declared by its module.

    Attributes:
        isolation_levels: the levels it provides; a request for another level gets the next stronger one.
        concurrent_writers: two write transactions can be open at the same time.
        two_phase: a transaction can be prepared, and committed later together with one in another database. The module
            implements `Database.participate`, and its sessions `prepare`. A server's configuration may turn it off.
        change_notification: other processes' commits are noticed through a `lapel.database.change_feed.ChangeFeed` of
            the module. Without it, reads are cached for a second at most.
        names_constraints: errors name the violated constraint.
        several_processes: more than one server process may use the database.
        whole_file: all data is in `Database.own_file`, which can be copied while it is written to, and be replaced. The
            module implements `Database.backup_to`, `served_by_nobody` and `opened_by_nobody`.
    """

    isolation_levels: frozenset[Isolation]
    concurrent_writers: bool = False
    two_phase: bool = False
    change_notification: bool = False
    names_constraints: bool = False
    several_processes: bool = False
    whole_file: bool = False
