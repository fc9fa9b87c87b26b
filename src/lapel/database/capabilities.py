"""What a database can do. Code asks these flags, never a database's name."""

from __future__ import annotations

from dataclasses import dataclass

from lapel.domain.ports import Isolation

__all__ = ["Capabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """One database product's abilities. A module names those that it has.

    Attributes:
        isolation_levels: levels it really gives; asking for a weaker one gives the next stronger.
        concurrent_writers: two write transactions can be open at once.
        two_phase: a transaction can be prepared, and committed later together with one elsewhere: the module's
            `Database.participate` says how, and its sessions can `prepare`. A server may be set not to.
        change_notification: what other processes commit is noticed: the module brings a
            `lapel.database.change_feed.ChangeFeed`. Without, what is read may be kept for a second.
        names_constraints: a violated constraint is named in the error.
        several_processes: more than one server process may use the database.
        whole_file: all of it is `Database.own_file`, which can be copied while others write, and give way to another;
            the module brings `Database.backup_to`, `served_by_nobody` and `opened_by_nobody`.
    """

    isolation_levels: frozenset[Isolation]
    concurrent_writers: bool = False
    two_phase: bool = False
    change_notification: bool = False
    names_constraints: bool = False
    several_processes: bool = False
    whole_file: bool = False
