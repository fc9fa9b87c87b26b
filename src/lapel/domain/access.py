"""Who may do what: API keys, roles, scopes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Forbidden

__all__ = [
    "API_KEY_ACTOR",
    "COMMAND_LINE_ACTOR",
    "OPERATOR",
    "ROLE_SCOPES",
    "SERVER",
    "SERVER_ACTOR",
    "ApiKey",
    "Principal",
    "Role",
    "Scope",
    "key_digest",
]

API_KEY_ACTOR: Final = "api-key:"
COMMAND_LINE_ACTOR: Final = "command-line"
SERVER_ACTOR: Final = "server"


class Scope(StrEnum):
    """One kind of action."""

    READ = "read"
    ISSUERS_WRITE = "issuers:write"
    ACHIEVEMENTS_WRITE = "achievements:write"
    CREDENTIALS_ISSUE = "credentials:issue"
    CREDENTIALS_STATUS = "credentials:status"
    KEYS_ADMIN = "keys:admin"
    AUDIT_READ = "audit:read"
    RECIPIENTS_ERASE = "recipients:erase"


class Role(StrEnum):
    """A named set of scopes."""

    OWNER = "owner"
    ADMIN = "admin"
    ISSUER = "issuer"
    VIEWER = "viewer"


_ISSUER_SCOPES = frozenset({Scope.READ, Scope.CREDENTIALS_ISSUE, Scope.CREDENTIALS_STATUS})

ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.OWNER: frozenset(Scope),
    Role.ADMIN: frozenset(Scope),
    Role.ISSUER: _ISSUER_SCOPES,
    Role.VIEWER: frozenset({Scope.READ}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key as stored: only a hash of it.

    Attributes:
        digest: SHA-256 of the key (`key_digest`); the key itself carries 256 random bits, so no slow hash is needed.
        scopes: what it may do; a subset of its role's scopes.
    """

    id: UUID
    organisation_id: UUID
    name: str
    role: Role
    scopes: tuple[Scope, ...]
    digest: bytes
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def principal(self) -> Principal:
        """Who asks with this key."""
        return Principal(self.organisation_id, f"{API_KEY_ACTOR}{self.id}", self.role, frozenset(self.scopes))

    def usable(self, *, now: datetime) -> bool:
        """Neither revoked nor expired at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def key_digest(key: str) -> bytes:
    """The stored hash of an API key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and for which organisation.

    Attributes:
        actor: who that is, for the record: `API_KEY_ACTOR` and the key's id, or one of
            `COMMAND_LINE_ACTOR` and `SERVER_ACTOR`.
    """

    organisation_id: UUID
    actor: str
    role: Role
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Return if this principal has `scope`.

        Raises:
            Forbidden: it has not.
        """
        if scope not in self.scopes:
            raise Forbidden(
                f"This key's role is {self.role.value}; this needs the scope {scope.value}.",
                hint="Use a key with that scope; `lapel apikey create --role` makes one.",
            )


OPERATOR = Principal(DEFAULT_ORGANISATION_ID, COMMAND_LINE_ACTOR, Role.OWNER, frozenset(Scope))
"""Whoever runs a command: the one who holds the database may do everything in it."""

SERVER = Principal(DEFAULT_ORGANISATION_ID, SERVER_ACTOR, Role.OWNER, frozenset(Scope))
"""The server itself, where it does what nobody has asked for by name: at its start, and a key's at its first use."""
