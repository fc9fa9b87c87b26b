"""Authenticates requests by access tokens of a trusted identity provider."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from lapel.credentials.jose.access_token import check_claims, decode
from lapel.credentials.jose.jws import verify_signature
from lapel.credentials.keys import SignatureInvalid
from lapel.domain.access import TOKEN_ACTOR, Principal, Role, scopes_of
from lapel.domain.identifiers import parse_id
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.ports import Clock, Fetcher, Store
from lapel.errors import Forbidden, InvalidInput, InvalidToken
from lapel.services.access.provider_keys import ProviderKeys
from lapel.services.bounded_cache import BoundedCache

__all__ = ["BELIEVED_FOR", "AccessTokens", "TokenRules"]

BELIEVED_FOR: Final = timedelta(minutes=5)
"""How long a verified token is not verified again, unless it expires before."""

_CACHED_TOKENS: Final = 4096
_SPACE_SEPARATED: Final = frozenset({"scope", "scp"})
"""The claims whose text is a space-separated list (RFC 8693, 4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """Which tokens are trusted, and which rights they give.

    Attributes:
        issuer, audience: the exact ``iss``, and a value that ``aud`` must contain.
        jwks_url: the address of the issuer's keys; None to find it by OpenID Connect Discovery.
        role_claim: the claim that gives the role: its name, or a JSON Pointer such as ``/realm_access/roles``.
        roles: the role, by the value of that claim.
        organisation_claim: the claim that holds the organisation's id; None if all act for the default organisation.
        tolerance: the allowed clock skew.
    """

    issuer: str
    audience: str
    jwks_url: str | None
    role_claim: str
    roles: Mapping[str, Role]
    organisation_claim: str | None
    tolerance: timedelta


class AccessTokens:
    """Authenticates bearer tokens that are not API keys (RFC 9068).

    Args:
        fetcher: a fetcher without a cache.
        timer: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        rules: TokenRules,
        fetcher: Fetcher,
        store: Store,
        clock: Clock,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._keys = ProviderKeys(fetcher=fetcher, issuer=rules.issuer, jwks_url=rules.jwks_url, timer=timer)
        self._store = store
        self._clock = clock
        self._cache: BoundedCache[bytes, tuple[Principal, datetime]] = BoundedCache(_CACHED_TOKENS)

    async def authenticate(self, token: str) -> Principal:
        """Return the principal that the token names.

        Raises:
            InvalidToken: the token is not trusted; the message says why.
            Forbidden: it gives no role here, or names no organisation of this server.
            Unavailable: the provider's keys or the database cannot be reached.
        """
        now, digest = self._clock(), hashlib.sha256(token.encode()).digest()
        cached = self._cache.get(digest)
        if cached is not None and now < cached[1]:
            return cached[0]
        rules, jws = self._rules, decode(token)
        expires = check_claims(
            jws.claims, issuer=rules.issuer, audience=rules.audience, now=now, tolerance=rules.tolerance
        )
        try:
            verify_signature(jws, await self._keys.key_of(jws))
        except SignatureInvalid as error:
            raise InvalidToken("The signature of this token is not valid.") from error
        role = self._role(jws.claims)
        organisation_id = await self._organisation_id(jws.claims)
        scopes = scopes_of(role, organisation_id)
        principal = Principal(organisation_id, f"{TOKEN_ACTOR}{jws.claims['sub']}", role, scopes)
        self._cache[digest] = (principal, min(expires, now + BELIEVED_FOR))
        return principal

    def _role(self, claims: JsonObject) -> Role:
        """Return the most powerful of the roles that the token gives."""
        name = self._rules.role_claim
        value = _claim(claims, name)
        values = as_list(value)
        if isinstance(value, str) and name in _SPACE_SEPARATED:
            values = value.split()
        roles = {self._rules.roles[item] for item in values if isinstance(item, str) and item in self._rules.roles}
        for role in Role:
            if role in roles:
                return role
        raise Forbidden(
            f"The claim {name} of this token gives no role on this server.",
            hint="LAPEL_OIDC_ROLES says which values give which role, LAPEL_OIDC_ROLE_CLAIM which claim is read.",
        )

    async def _organisation_id(self, claims: JsonObject) -> UUID:
        name = self._rules.organisation_claim
        if name is None:
            return DEFAULT_ORGANISATION_ID
        value = _claim(claims, name)
        try:
            organisation_id = parse_id(value if isinstance(value, str) else "")
        except InvalidInput:
            organisation_id = None
        if organisation_id is None or await self._store.read().organisations.find(organisation_id) is None:
            raise Forbidden(
                f"The claim {name} of this token does not name an organisation of this server.",
                hint="It must be the id of one, as `lapel organisation list` shows it.",
            )
        return organisation_id


def _claim(claims: JsonObject, name: str) -> JsonValue:
    """Return the claim with this name, or at this JSON Pointer (RFC 6901); None if there is none."""
    if not name.startswith("/"):
        return claims.get(name)
    value: JsonValue = claims
    for part in name[1:].split("/"):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part.replace("~1", "/").replace("~0", "~"))
    return value
