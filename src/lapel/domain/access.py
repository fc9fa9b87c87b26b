"""Who may do what: API keys, roles, scopes. docs/access.md shows the table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Forbidden

__all__ = [
    "API_KEY_ACTOR",
    "COMMAND_LINE_ACTOR",
    "ROLE_SCOPES",
    "SERVER",
    "SERVER_ACTOR",
    "TOKEN_ACTOR",
    "ApiKey",
    "Principal",
    "Role",
    "Scope",
    "acting_for",
    "key_digest",
    "scopes_of",
]

API_KEY_ACTOR: Final = "api-key:"
TOKEN_ACTOR: Final = "token:"  # noqa: S105 - what stands before a subject is no secret
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
    ORGANISATIONS_ADMIN = "organisations:admin"
    AUDIT_READ = "audit:read"
    RECIPIENTS_ERASE = "recipients:erase"


class Role(StrEnum):
    """A named set of scopes; the one that may most stands first."""

    OWNER = "owner"
    ADMIN = "admin"
    ISSUER = "issuer"
    VIEWER = "viewer"


_OPERATOR_SCOPES = frozenset({Scope.ORGANISATIONS_ADMIN})
"""What reaches beyond one organisation: for owners of the default organisation, which is the operator's."""

_ISSUER_SCOPES = frozenset({Scope.READ, Scope.CREDENTIALS_ISSUE, Scope.CREDENTIALS_STATUS})

ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.OWNER: frozenset(Scope),
    Role.ADMIN: frozenset(Scope) - _OPERATOR_SCOPES,
    Role.ISSUER: _ISSUER_SCOPES,
    Role.VIEWER: frozenset({Scope.READ}),
}


def scopes_of(role: Role, organisation_id: UUID) -> frozenset[Scope]:
    """All that `role` may do in that organisation."""
    scopes = ROLE_SCOPES[role]
    return scopes if organisation_id == DEFAULT_ORGANISATION_ID else scopes - _OPERATOR_SCOPES


class ApiKey(Struct, frozen=True, kw_only=True):
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
        actor: who that is, for the record: `API_KEY_ACTOR` and the key's id, `TOKEN_ACTOR` and the
            token's subject, or one of `COMMAND_LINE_ACTOR` and `SERVER_ACTOR`.
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
            hint = "Use a key with that scope; `lapel apikey create --role` makes one."
            if scope not in scopes_of(Role.OWNER, self.organisation_id):
                hint = "Only an owner of the default organisation has it."
            raise Forbidden(
                f"This needs the scope {scope.value}, which you do not have; your role is {self.role.value}.",
                hint=hint,
            )


def acting_for(organisation_id: UUID) -> Principal:
    """Whoever runs a command, for that organisation: the one who holds the database may do everything in it."""
    return Principal(organisation_id, COMMAND_LINE_ACTOR, Role.OWNER, frozenset(Scope))


SERVER = Principal(DEFAULT_ORGANISATION_ID, SERVER_ACTOR, Role.OWNER, frozenset(Scope))
"""The server itself, where it does what nobody has asked for by name: at its start, and a key's at its first use."""
