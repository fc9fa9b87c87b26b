"""Correct a credential: issue another one in its place, and revoke the old one, in one transaction."""

from __future__ import annotations

from typing import Final
from unicodedata import category
from uuid import UUID

from msgspec import structs
from msgspec.structs import replace

from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.ports import Clock, Store, Transaction
from lapel.errors import Conflict, InvalidInput
from lapel.openbadges.problems import Problems
from lapel.services.auditing.recording import issued_by, store_issued
from lapel.services.credentials import own_credential
from lapel.services.idempotency import done_once
from lapel.services.issuing.issuing import Issuing
from lapel.services.issuing.named_achievements import deleted_meanwhile
from lapel.services.requests import Awarded, NewCredential, Replacement
from lapel.services.status import record_status_changes

__all__ = ["Replacing"]

_COPIED: Final = tuple(field.name for field in structs.fields(Awarded))


class Replacing:
    """Replaces credentials by corrected ones."""

    def __init__(self, *, store: Store, clock: Clock, addresses: Addresses, issuing: Issuing) -> None:
        self._store = store
        self._clock = clock
        self._addresses = addresses
        self._issuing = issuing

    async def replace(
        self,
        principal: Principal,
        credential_id: UUID,
        request: Replacement,
        *,
        once: IdempotentRequest | None = None,
    ) -> Credential:
        """Issue the new credential, and return it. The records of the old and the new one refer to each other.

        Raises:
            Forbidden: scope ``credentials:issue`` or ``credentials:status`` is missing.
            NotFound: the organisation has no such credential.
            Conflict: it is revoked, perhaps because it has been replaced already; or it is not for an achievement.
            InvalidInput, TooLarge: see `Issuing.issue`.
            DoneBefore: the request `once` was completed before.
        """
        principal.require(Scope.CREDENTIALS_ISSUE)
        principal.require(Scope.CREDENTIALS_STATUS)
        old = await own_credential(self._store, principal, credential_id)
        _require_replaceable(old)
        problems = Problems()
        problems.text(request.reason, "/reason")
        problems.raise_any()
        (checked,) = (await self._issuing.read(principal, {"": _new_credential(request, old)})).values()
        if isinstance(checked, InvalidInput):
            raise checked
        achievement, _ = checked
        if achievement.issuer_id != old.issuer_id:
            problems.add("/achievement", "must belong to the same issuer as the credential", "not_allowed")
            problems.raise_any()
        (new,) = await self._issuing.sign([checked])
        if not isinstance(new, Credential):
            raise new
        new = replace(new, replaces_id=old.id)
        reason = f"Replaced by {self._addresses.credential(new.id)}"
        if request.reason is not None:
            given = request.reason.rstrip()
            reason = f"{given if category(given[-1]) == 'Po' else f'{given}.'} {reason}"  # Po: as . ! ? and 。

        async def body(tx: Transaction) -> None:
            before = {found.id: found for found in await tx.credentials.find_many([old.id], lock=True)}
            replaced = await tx.credentials.replace(old.id, new.id, reason=reason, changed_at=self._clock())
            await record_status_changes(tx, principal, before, [replaced])
            await store_issued(tx, issued_by(principal, [new]))

        try:
            await done_once(self._store, once, body, new.id)
        except Conflict as error:
            for deleted in (await deleted_meanwhile(self._store, {"": achievement})).values():
                raise deleted from error
            raise
        return new


def _require_replaceable(old: Credential) -> None:
    if old.replaced_by_id is not None:
        raise Conflict(
            f"Credential {old.id} has been replaced by {old.replaced_by_id}.",
            hint="Replace that one instead, if needed.",
        )
    if old.status is CredentialStatus.REVOKED:
        raise Conflict(f"Credential {old.id} is revoked, and nothing can take its place.", hint="Issue it anew.")
    if old.achievement_id is None:
        raise Conflict(
            "This credential is not for an achievement of this server, so nothing can be issued in its place.",
            hint="Revoke it, and issue a new one in the way this one was issued.",
        )


def _new_credential(request: Replacement, old: Credential) -> NewCredential:
    members = {name: getattr(request, name) for name in _COPIED}
    return NewCredential(achievement=request.achievement or str(old.achievement_id), **members)
