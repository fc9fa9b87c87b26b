"""Who may do what: API keys, roles, scopes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from lapel.domain.identifiers import NIL_ID
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Forbidden

__all__ = ["OPERATOR", "ROLE_SCOPES", "SERVER", "ApiKey", "Principal", "Role", "Scope", "actor_of_key", "key_digest"]


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

    def usable(self, *, now: datetime) -> bool:
        """Neither revoked nor expired at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def key_digest(key: str) -> bytes:
    """The stored hash of an API key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: the holder of an API key.

    Attributes:
        actor: how the audit log names whoever it is: ``api-key:UUID``, ``command-line``, ``server``.
        address: from where the request came, if it came over HTTP.
        request_id: what the request is called in the log, and in the header ``X-Request-Id`` of its answer.
    """

    organisation_id: UUID
    key_id: UUID
    role: Role
    scopes: frozenset[Scope]
    actor: str
    address: str | None = None
    request_id: str | None = None

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


@lru_cache(maxsize=1024)
def actor_of_key(key_id: UUID) -> str:
    """How the audit log names the holder of an API key."""
    return f"api-key:{key_id}"


OPERATOR = Principal(DEFAULT_ORGANISATION_ID, NIL_ID, Role.OWNER, frozenset(Scope), "command-line")
"""Whoever runs a command: the one who holds the database may do everything in it."""

SERVER = Principal(DEFAULT_ORGANISATION_ID, NIL_ID, Role.OWNER, frozenset(Scope), "server")
"""The server itself, where it does what nobody has asked for by name: at its start, and a key's at its first use."""
