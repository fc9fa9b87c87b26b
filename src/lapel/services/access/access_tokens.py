"""Who asks with an access token of the identity provider that this server believes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
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
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.ports import Clock, Fetcher, Store
from lapel.errors import Forbidden, InvalidInput, InvalidToken
from lapel.services.access.provider_keys import ProviderKeys
from lapel.services.recent import Recent

__all__ = ["BELIEVED_FOR", "AccessTokens", "TokenRules"]

BELIEVED_FOR: Final = timedelta(minutes=5)
"""How long a token that was good is not looked at again, if it does not end before."""

_KEPT_TOKENS: Final = 4096
_SEVERAL_WORDS: Final = frozenset({"scope", "scp"})
"""Claims whose text is a list of words (RFC 8693, 4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What is believed, and what it means here.

    Attributes:
        issuer, audience: ``iss`` as it is written, and what ``aud`` must hold.
        jwks_url: where the issuer's keys are; None to ask its description.
        role_claim: the claim that gives the role, by its name, or by a JSON Pointer such as ``/realm_access/roles``.
        roles: the role that a value of that claim gives.
        organisation_claim: the claim that holds the organisation's id; None where everybody acts for the default one.
        tolerance: how far clocks may be apart.
    """

    issuer: str
    audience: str
    jwks_url: str | None
    role_claim: str
    roles: Mapping[str, Role]
    organisation_claim: str | None
    tolerance: timedelta


class AccessTokens:
    """Bearer tokens that are no API keys (RFC 9068).

    Args:
        fetcher: one that keeps nothing.
        timer: seconds, never going back.
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
        self._believed: Recent[bytes, tuple[Principal, datetime]] = Recent(_KEPT_TOKENS)

    async def authenticate(self, token: str) -> Principal:
        """Whose token that is, and for which organisation.

        Raises:
            InvalidToken: it is not believed; the sentence says why.
            Forbidden: it gives no role here, or names no organisation of this server.
            Unavailable: the provider's keys cannot be had, or the database is away.
        """
        now, digest = self._clock(), hashlib.sha256(token.encode()).digest()
        known = self._believed.get(digest)
        if known is not None and now < known[1]:
            return known[0]
        rules, read = self._rules, decode(token)
        expires = check_claims(
            read.claims, issuer=rules.issuer, audience=rules.audience, now=now, tolerance=rules.tolerance
        )
        try:
            verify_signature(read, await self._keys.key_of(read))
        except SignatureInvalid as error:
            raise InvalidToken("The signature of this token is not valid.") from error
        role = self._role(read.claims)
        organisation_id = await self._organisation_id(read.claims)
        scopes = scopes_of(role, organisation_id)
        principal = Principal(organisation_id, f"{TOKEN_ACTOR}{read.claims['sub']}", role, scopes)
        self._believed[digest] = (principal, min(expires + rules.tolerance, now + BELIEVED_FOR))
        return principal

    def _role(self, claims: JsonObject) -> Role:
        """The one of the roles given that may most."""
        name = self._rules.role_claim
        value = _claim(claims, name)
        given = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if isinstance(value, str) and name in _SEVERAL_WORDS:
            given = value.split()
        held = {self._rules.roles[one] for one in given if isinstance(one, str) and one in self._rules.roles}
        for role in Role:
            if role in held:
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
    """The claim of that name, or at that JSON Pointer (RFC 6901); None where there is none."""
    if not name.startswith("/"):
        return claims.get(name)
    value: JsonValue = claims
    for part in name[1:].split("/"):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part.replace("~1", "/").replace("~0", "~"))
    return value
