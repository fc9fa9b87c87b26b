"""Access control: API keys, roles and scopes. docs/access.md has the table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol, TypeVar
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
TOKEN_ACTOR: Final = "token:"  # noqa: S105 - a prefix, not a secret
COMMAND_LINE_ACTOR: Final = "command-line"
SERVER_ACTOR: Final = "server"


class _OfOrganisation(Protocol):
    @property
    def organisation_id(self) -> UUID: ...


Entity = TypeVar("Entity", bound=_OfOrganisation)


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
    """A named set of scopes, from the most to the least privileged."""

    OWNER = "owner"
    ADMIN = "admin"
    ISSUER = "issuer"
    VIEWER = "viewer"


_OPERATOR_SCOPES = frozenset({Scope.ORGANISATIONS_ADMIN})
"""Scopes that reach beyond one organisation: only for owners of the default organisation, the operator's."""

_ISSUER_SCOPES = frozenset({Scope.READ, Scope.CREDENTIALS_ISSUE, Scope.CREDENTIALS_STATUS})

ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.OWNER: frozenset(Scope),
    Role.ADMIN: frozenset(Scope) - _OPERATOR_SCOPES,
    Role.ISSUER: _ISSUER_SCOPES,
    Role.VIEWER: frozenset({Scope.READ}),
}


def scopes_of(role: Role, organisation_id: UUID) -> frozenset[Scope]:
    """Return all scopes of `role` in that organisation."""
    scopes = ROLE_SCOPES[role]
    return scopes if organisation_id == DEFAULT_ORGANISATION_ID else scopes - _OPERATOR_SCOPES


class ApiKey(Struct, frozen=True, kw_only=True):
    """An API key as stored, which is only its hash.

    Attributes:
        digest: SHA-256 of the key (`key_digest`); the key itself has 256 random bits, so no slow hash is needed.
        scopes: a subset of the scopes of its role.
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
        """Return the principal that this key authenticates."""
        return Principal(self.organisation_id, f"{API_KEY_ACTOR}{self.id}", self.role, frozenset(self.scopes))

    def usable(self, *, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def key_digest(key: str) -> bytes:
    """Return the hash of an API key as it is stored."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller, and the organisation it acts for.

    Attributes:
        actor: identifies the caller in the audit log: `API_KEY_ACTOR` followed by the key's id, `TOKEN_ACTOR`
            followed by the token's subject, `COMMAND_LINE_ACTOR` or `SERVER_ACTOR`.
    """

    organisation_id: UUID
    actor: str
    role: Role
    scopes: frozenset[Scope]

    def own(self, entity: Entity | None) -> Entity | None:
        """Return `entity` if it belongs to the principal's organisation; None if it does not, as if there were none."""
        return entity if entity is not None and entity.organisation_id == self.organisation_id else None

    def require(self, scope: Scope) -> None:
        """Raise `Forbidden` unless this principal has `scope`."""
        if scope not in self.scopes:
            hint = "Use a key with that scope (`lapel apikey create --role` makes one), or a token whose role has it."
            if scope not in scopes_of(Role.OWNER, self.organisation_id):
                hint = "Only an owner of the default organisation has it."
            raise Forbidden(
                f"This needs the scope {scope.value}, which you do not have; your role is {self.role.value}.",
                hint=hint,
            )


def acting_for(organisation_id: UUID) -> Principal:
    """Return the principal of a command that acts for that organisation, with every scope.

    Whoever can run commands has access to the whole database anyway.
    """
    return Principal(organisation_id, COMMAND_LINE_ACTOR, Role.OWNER, frozenset(Scope))


SERVER = Principal(DEFAULT_ORGANISATION_ID, SERVER_ACTOR, Role.OWNER, frozenset(Scope))
"""The server itself, for what it does unasked: at its start, and the creation of a signing key at its first use."""
