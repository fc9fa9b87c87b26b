"""API keys: create, list and revoke them, and authenticate requests by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from lapel.credentials.jose import base64url
from lapel.domain.access import SERVER, ApiKey, Principal, Role, Scope, acting_for, key_digest, scopes_of
from lapel.domain.audit import Action
from lapel.domain.clock import truncate
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.ports import Clock, IdSource, Isolation, Store, Transaction
from lapel.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthorized
from lapel.openbadges.problems import Problems
from lapel.openbadges.syntax import time_problem
from lapel.services.auditing.recording import record
from lapel.services.bounded_cache import BoundedCache
from lapel.services.paging import DEFAULT_PAGE, Page, all_pages, page_of
from lapel.services.requests import NewApiKey

__all__ = ["FIRST_KEY_NAME", "SECRET_PREFIX", "ApiKeys", "CreatedApiKey", "LastOwnerKey"]

SECRET_PREFIX: Final = "lapel_"  # noqa: S105 - the prefix of every secret is not secret

_MAX_SECRET: Final = 512
_MIN_ADMIN_SECRET: Final = 32
_CACHED_PRINCIPALS: Final = 1024
_CONFIGURED_KEY: Final = "LAPEL_ADMIN_KEY"
"""The name of the key from that setting; no other key may have it."""
FIRST_KEY_NAME: Final = "first key"
_FIRST_KEY: Final = UUID("00000000-0000-7000-8000-000000000002")
"""The id of the first key in an empty database, so that of two processes that start at once only one can create it."""


class LastOwnerKey(Conflict):
    """This is the last owner's key with all scopes and no expiry; without it nobody could make another."""

    code = "last_owner_key"
    hint = "Make another owner's key first, such as with `lapel apikey create --role owner` on the server."


@dataclass(frozen=True, slots=True, repr=False)
class CreatedApiKey:
    """A new key, and its secret, which is shown only once and not stored.

    Attributes:
        secret: ``lapel_`` and 43 characters of base64url: 256 random bits.
    """

    key: ApiKey
    secret: str


class ApiKeys:
    """Manages API keys, and authenticates requests by them."""

    def __init__(self, *, store: Store, clock: Clock, new_id: IdSource, randomness: Callable[[int], bytes]) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._randomness = randomness
        self._principals: BoundedCache[bytes, tuple[ApiKey, Principal]] = BoundedCache(_CACHED_PRINCIPALS)

    async def create(self, principal: Principal, request: NewApiKey) -> CreatedApiKey:
        """Create a key for the principal's organisation, with no rights that the principal does not have.

        Raises:
            Forbidden: no scope ``keys:admin``, or the key would have more rights than the principal.
            InvalidInput: with one FieldError per problem.
        """
        principal.require(Scope.KEYS_ADMIN)
        new = self.draft(principal.organisation_id, request)
        if missing := frozenset(new.key.scopes) - principal.scopes:
            raise Forbidden(f"The new key would have scopes that you do not have: {_listed(missing)}.")
        if request.role is Role.OWNER and principal.role is not Role.OWNER:
            raise Forbidden("Only an owner's key can make an owner's key.")
        await self._store.run(lambda tx: self.store(tx, principal, new))
        return new

    async def store(self, tx: Transaction, by: Principal, new: CreatedApiKey) -> None:
        """Store a key from `draft`, and record that `by` created it."""
        key = new.key
        await tx.api_keys.create(key)
        await record(tx, by, Action.API_KEY_CREATED, key.id, after=key, organisation_id=key.organisation_id)

    async def create_for(
        self,
        organisation_id: UUID,
        *,
        name: str,
        role: Role,
        scopes: Sequence[Scope] | None = None,
        expires_at: datetime | None = None,
    ) -> CreatedApiKey:
        """Create a key without checking any rights: for the command line, whose user has access to the database.

        Raises:
            InvalidInput: with one FieldError per problem.
            NotFound: there is no such organisation.
        """
        request = NewApiKey(
            name=name, role=role, scopes=None if scopes is None else list(scopes), expires_at=expires_at
        )
        new = self.draft(organisation_id, request)

        async def body(tx: Transaction) -> CreatedApiKey:
            if await tx.organisations.find(organisation_id) is None:
                raise NotFound(f"There is no organisation {organisation_id}.")
            await self.store(tx, acting_for(organisation_id), new)
            return new

        return await self._store.run(body)

    def draft(self, organisation_id: UUID, request: NewApiKey) -> CreatedApiKey:
        """Return a new key of the organisation, for the caller to store.

        Raises:
            InvalidInput: with one FieldError per problem.
        """
        problems = Problems()
        _check_name(problems, request.name)
        allowed = scopes_of(request.role, organisation_id)
        scopes = allowed if request.scopes is None else frozenset(request.scopes)
        problems.count(request.scopes, "/scopes", max_items=len(Scope))
        if not scopes:
            problems.add("/scopes", "must name at least one scope", "empty")
        if excess := scopes - allowed:
            detail = f"must be scopes of the role ({_listed(allowed)}), not {_listed(excess)}"
            problems.add("/scopes", detail, "not_allowed")
        if request.expires_at is not None:
            if problem := time_problem(request.expires_at):
                problems.add("/expiresAt", problem, "bad_time")
            elif request.expires_at <= self._clock():
                problems.add("/expiresAt", "must be in the future", "bad_time")
        problems.raise_any()
        return self._new(organisation_id, request.name, request.role, _ordered(scopes), expires_at=request.expires_at)

    async def page(
        self, principal: Principal, *, before: UUID | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[ApiKey]:
        """Return a page of the organisation's keys, newest first, including revoked ones."""
        principal.require(Scope.KEYS_ADMIN)
        api_keys = self._store.read().api_keys
        return page_of(await api_keys.page(principal.organisation_id, before=before, limit=limit + 1), limit=limit)

    async def own(self, principal: Principal, key_id: UUID) -> ApiKey:
        """Return the key. Raises NotFound unless it belongs to the principal's organisation."""
        principal.require(Scope.KEYS_ADMIN)
        return _owned(principal, await self._store.read().api_keys.find(key_id), key_id)

    async def revoke(self, principal: Principal, key_id: UUID, *, even_the_last: bool = False) -> ApiKey:
        """Revoke the key, and return it.

        Args:
            even_the_last: revoke it even if no owner's key is left then.

        Raises:
            Forbidden: it is an owner's key, and the principal is not an owner.
            NotFound: the organisation has no such key.
            LastOwnerKey: it is the last owner's key with all scopes and without an expiry.
        """
        principal.require(Scope.KEYS_ADMIN)
        now = self._clock()

        async def body(tx: Transaction) -> ApiKey:
            key = _owned(principal, await tx.api_keys.find(key_id), key_id)
            if key.revoked_at is not None:
                return key
            if key.role is Role.OWNER and principal.role is not Role.OWNER:
                raise Forbidden("Only an owner's key can revoke an owner's key.")
            if _administers(key) and not even_the_last:
                async for other in all_pages(partial(tx.api_keys.page, key.organisation_id)):
                    if other.id != key_id and _administers(other):
                        break
                else:
                    raise LastOwnerKey
            revoked = await tx.api_keys.revoke(key_id, at=now)
            await record(tx, principal, Action.API_KEY_REVOKED, key_id, before=key, after=revoked)
            return revoked

        # Serialisable, so that two owners who revoke each other's key at the same moment do not both succeed.
        return await self._store.run(body, isolation=Isolation.SERIALIZABLE, idempotent=True)

    async def authenticate(self, secret: str) -> Principal:
        """Return the principal of the key. A revocation takes effect at once here, and within a second elsewhere.

        The look-up is by the key's hash, so that its duration reveals nothing about other keys.

        Raises:
            Unauthorized: the key is unknown, revoked or expired; the message does not say which.
        """
        if len(secret) <= _MAX_SECRET:
            key = await self._store.read().api_keys.find_by_digest(key_digest(secret))
            if key is not None and key.usable(now=self._clock()):
                return self._principal(key)
        raise Unauthorized("This API key is not valid.")

    def _principal(self, key: ApiKey) -> Principal:
        cached = self._principals.get(key.digest)
        if cached is None or cached[0] is not key:
            cached = self._principals[key.digest] = (key, key.principal())
        return cached[1]

    async def ensure_admin(self, secret: str) -> ApiKey:
        """Make `secret` (``LAPEL_ADMIN_KEY``) an admin key of the default organisation, if it is not one yet.

        A key that an earlier version created gets the scopes that are new since. There is one such key at a time: all
        earlier keys from the setting are revoked.

        Raises:
            InvalidInput: it is shorter than 32 characters, or too long, or was revoked.
        """
        if not _MIN_ADMIN_SECRET <= len(secret) <= _MAX_SECRET:
            raise InvalidInput(
                f"LAPEL_ADMIN_KEY must have {_MIN_ADMIN_SECRET} to {_MAX_SECRET} characters.",
                hint="`openssl rand -hex 32` makes a good one.",
            )
        new = self._key(DEFAULT_ORGANISATION_ID, _CONFIGURED_KEY, Role.ADMIN, _ADMIN_SCOPES, secret)

        async def body(tx: Transaction) -> ApiKey:
            key = await tx.api_keys.create_if_absent(new)
            if key.id == new.id:
                await record(tx, SERVER, Action.API_KEY_CREATED, key.id, after=key)
            if not key.usable(now=new.created_at):
                raise InvalidInput("The key in LAPEL_ADMIN_KEY has been revoked.", hint="Set another one.")
            if key.name == _CONFIGURED_KEY and key.scopes != _ADMIN_SCOPES:
                earlier_scopes, key = key, await tx.api_keys.set_scopes(key.id, _ADMIN_SCOPES)
                await record(tx, SERVER, Action.API_KEY_CHANGED, key.id, before=earlier_scopes, after=key)
            async for earlier in all_pages(partial(tx.api_keys.page, DEFAULT_ORGANISATION_ID)):
                if earlier.name == _CONFIGURED_KEY and earlier.id != key.id and earlier.revoked_at is None:
                    revoked = await tx.api_keys.revoke(earlier.id, at=new.created_at)
                    await record(tx, SERVER, Action.API_KEY_REVOKED, revoked.id, before=earlier, after=revoked)
            return key

        return await self._store.run(body, idempotent=True)

    async def bootstrap(self) -> CreatedApiKey | None:
        """Create the first key, an owner's, in a database without any key. Return None for any other database."""
        scopes = _ordered(scopes_of(Role.OWNER, DEFAULT_ORGANISATION_ID))
        new = self._new(DEFAULT_ORGANISATION_ID, FIRST_KEY_NAME, Role.OWNER, scopes, key_id=_FIRST_KEY)
        try:
            async with self._store.transaction() as tx:
                if await tx.api_keys.any_exists():
                    return None
                await self.store(tx, SERVER, new)
        except Conflict:  # another process was faster: its key has the same id
            return None
        return new

    def _new(
        self,
        organisation_id: UUID,
        name: str,
        role: Role,
        scopes: Sequence[Scope],
        *,
        expires_at: datetime | None = None,
        key_id: UUID | None = None,
    ) -> CreatedApiKey:
        """Return a key with a random secret, not stored yet."""
        secret = SECRET_PREFIX + base64url.encode(self._randomness(32))
        key = self._key(organisation_id, name, role, scopes, secret, expires_at=expires_at, key_id=key_id)
        return CreatedApiKey(key, secret)

    def _key(
        self,
        organisation_id: UUID,
        name: str,
        role: Role,
        scopes: Sequence[Scope],
        secret: str,
        *,
        expires_at: datetime | None = None,
        key_id: UUID | None = None,
    ) -> ApiKey:
        return ApiKey(
            id=key_id or self._new_id(),
            organisation_id=organisation_id,
            name=name,
            role=role,
            scopes=tuple(scopes),
            digest=key_digest(secret),
            created_at=self._clock(),
            expires_at=None if expires_at is None else truncate(expires_at),
        )


def _owned(principal: Principal, key: ApiKey | None, key_id: UUID) -> ApiKey:
    if (own := principal.own(key)) is None:
        raise NotFound(f"There is no API key {key_id}.")
    return own


def _administers(key: ApiKey) -> bool:
    """Return whether the key's holder can create every key that the organisation may need, now and later."""
    has_all_scopes = scopes_of(Role.OWNER, key.organisation_id) <= frozenset(key.scopes)
    return key.role is Role.OWNER and has_all_scopes and key.expires_at is None and key.revoked_at is None


def _check_name(problems: Problems, name: str) -> None:
    problems.text(name, "/name", max_length=200)
    if name == _CONFIGURED_KEY:
        problems.add(
            "/name", f"must not be {_CONFIGURED_KEY}: that name is reserved for the key in this setting", "not_allowed"
        )


def _ordered(scopes: frozenset[Scope]) -> tuple[Scope, ...]:
    return tuple(sorted(scopes))


_ADMIN_SCOPES: Final = _ordered(scopes_of(Role.ADMIN, DEFAULT_ORGANISATION_ID))


def _listed(scopes: frozenset[Scope]) -> str:
    return ", ".join(_ordered(scopes))
