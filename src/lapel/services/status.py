"""The status of credentials: revoke, suspend and reinstate them, and publish their status lists."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from lapel.credentials import bitstring_status_list
from lapel.credentials.constant_parts import SplitDocument
from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.audit import Action
from lapel.domain.credential import Credential, CredentialErased, CredentialFormat, CredentialStatus
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.domain.ports import Clock, Store, Transaction
from lapel.domain.status_list import StatusList, StatusPurpose
from lapel.errors import Conflict, LapelError, NotFound
from lapel.openbadges.problems import Problems
from lapel.openbadges.profile import issuer_iri
from lapel.services.auditing.recording import entry_of
from lapel.services.idempotency import done_once
from lapel.services.metrics.counting import STATUS_CHANGES
from lapel.services.securing import Securing, Unsigned
from lapel.services.single_flight import SingleFlight

__all__ = [
    "STATUS_LIST_SECONDS",
    "VALID_FOR",
    "NotSuspendable",
    "SignedStatusList",
    "StatusElsewhere",
    "Statuses",
    "changeable",
    "record_status_changes",
]

STATUS_LIST_SECONDS: Final = 300
"""A list's ``ttl`` and the HTTP max-age: how long verifiers may cache it, and so how late they may see a change."""

VALID_FOR: Final = timedelta(hours=24)
"""How long a signed list is valid (``validUntil``). An attacker between the server and a verifier can show an old list
for that long, and caches can answer for a server that is down for that long."""

_RENEW_AFTER: Final = VALID_FOR / 2
"""The age at which an unchanged list is signed again, so that a served list is valid for at least as long again."""

_CACHED_LISTS: Final = 512
_CLOCK_SKEW: Final = timedelta(seconds=60)
"""A list's ``validFrom`` is a little earlier than now: a verifier's clock may be behind, or ask about a past time."""
_BIT_STATUSES: Final = {
    StatusPurpose.REVOCATION: (CredentialStatus.REVOKED,),
    # Read in this order, so that a credential that is suspended and then revoked between the two reads is not missed.
    StatusPurpose.SUSPENSION: (CredentialStatus.SUSPENDED, CredentialStatus.REVOKED),
}
"""The statuses that set the bit, by the list's purpose."""
_ACTIONS: Final = {
    CredentialStatus.REVOKED: Action.CREDENTIAL_REVOKED,
    CredentialStatus.SUSPENDED: Action.CREDENTIAL_SUSPENDED,
    CredentialStatus.ACTIVE: Action.CREDENTIAL_REINSTATED,
}


class NotSuspendable(Conflict):
    """This credential cannot be suspended."""

    code = "not_suspendable"
    hint = (
        "Mark its achievement as suspendable: credentials issued after that can be suspended. This one can be revoked."
    )


class StatusElsewhere(Conflict):
    """This credential names no status list of this server, so no verifier would see the change."""

    code = "status_elsewhere"
    hint = "Change its status on the server that its credentialStatus names, or rely on its validUntil."


@dataclass(frozen=True, slots=True)
class SignedStatusList:
    """A signed BitstringStatusListCredential.

    Attributes:
        content: UTF-8 JSON, or a compact JWS.
        version: increases with each change of a bit.
        key_id: the key that signed it.
        signed_at, renew_at: it must not be served before the one, as after a clock was set back, nor from the other on.
    """

    content: bytes
    version: int
    key_id: UUID
    signed_at: datetime
    renew_at: datetime


@dataclass(frozen=True, slots=True)
class _CurrentList:
    """The current version of a list, and the key that would sign it now."""

    status_list: StatusList
    purpose: StatusPurpose
    issuer: Issuer
    format: CredentialFormat
    key_id: UUID


class Statuses:
    """Changes the status of credentials, and signs status lists."""

    def __init__(self, *, store: Store, clock: Clock, addresses: Addresses, securing: Securing) -> None:
        self._store = store
        self._clock = clock
        self._addresses = addresses
        self._securing = securing
        self._cache: LRUCache[Hashable, SignedStatusList] = LRUCache(_CACHED_LISTS)
        self._flight = SingleFlight()

    async def change(
        self,
        principal: Principal,
        credential_id: UUID,
        status: CredentialStatus,
        reason: str | None = None,
        *,
        once: IdempotentRequest | None = None,
    ) -> Credential:
        """Change the credential's status, and return it. One that has the status already keeps its reason, too.

        Raises:
            Forbidden: no scope ``credentials:status``.
            InvalidInput: the reason is empty or too long.
            NotFound: the organisation has no such credential.
            CredentialErased: the credential has been erased.
            Conflict: the credential is revoked, which is final.
            StatusElsewhere: it has no entry in a status list of this server.
            NotSuspendable: its achievement was not suspendable when it was issued.
            DoneBefore: the request `once` was completed before.
        """
        principal.require(Scope.CREDENTIALS_STATUS)
        problems = Problems()
        problems.text(reason, "/reason")
        problems.raise_any()

        async def body(tx: Transaction) -> Credential:
            credential = (await changeable(tx, principal, [credential_id], status))[credential_id]
            if isinstance(credential, LapelError):
                raise credential
            if credential.status is status:
                return credential
            (changed,) = await tx.credentials.change_status(
                [credential_id], status=status, reason=reason, changed_at=self._clock()
            )
            await record_status_changes(tx, principal, {credential_id: credential}, [changed])
            return changed

        return await done_once(self._store, once, body, credential_id, idempotent=True)

    async def status_list(
        self,
        list_id: UUID,
        *,
        revocations: bool = False,
        format: CredentialFormat = CredentialFormat.EDDSA_RDFC_2022,  # noqa: A002 - the member's own name
    ) -> SignedStatusList:
        """Return the current list, signed. It is signed again if a bit or the issuer's key has changed, or by age.

        Args:
            revocations: return the revocations among the credentials of a suspension list.
            format: with an embedded proof, or as a VC-JWT.

        Raises:
            NotFound: there is no such list.
        """
        current = await self._current(list_id, revocations, format)
        if (cached := self._cached(current)) is not None:
            return cached
        async with self._flight.one(self._key(current)):
            # The version is read before the bits. A change in between is in the bits but not in the version, so the
            # next reader signs again, and no change is missed.
            current = await self._current(list_id, revocations, format)
            if (cached := self._cached(current)) is not None:
                return cached
            signed = self._cache[self._key(current)] = await self._sign(current)
            return signed

    def _key(self, current: _CurrentList) -> Hashable:
        return self._store.generation, current.status_list.id, current.purpose, current.format

    def _cached(self, current: _CurrentList) -> SignedStatusList | None:
        cached = self._cache.get(self._key(current))
        if cached is None or (cached.version, cached.key_id) != (current.status_list.version, current.key_id):
            return None
        return cached if cached.signed_at <= self._clock() < cached.renew_at else None

    async def _current(self, list_id: UUID, revocations: bool, format_: CredentialFormat) -> _CurrentList:
        read = self._store.read()
        status_list = await read.status_lists.find(list_id)
        if status_list is None or (revocations and status_list.purpose is not StatusPurpose.SUSPENSION):
            raise NotFound(f"There is no such status list of {list_id}.")
        issuer = await read.issuers.get(status_list.issuer_id)
        key_id = await self._securing.key_id(issuer, format_)
        purpose = StatusPurpose.REVOCATION if revocations else status_list.purpose
        return _CurrentList(status_list, purpose, issuer, format_, key_id)

    async def _sign(self, current: _CurrentList) -> SignedStatusList:
        now, status_list = self._clock().replace(microsecond=0), current.status_list
        credentials = self._store.read().credentials
        indices = [
            index
            for status in _BIT_STATUSES[current.purpose]
            async for index in credentials.set_indices(status_list.id, status=status.value)
        ]
        bits = bitstring_status_list.from_indices(indices, length=status_list.length)
        own = current.purpose is status_list.purpose
        document = bitstring_status_list.list_credential(
            list_url=(self._addresses.status_list if own else self._addresses.revocations_among)(status_list.id),
            issuer=issuer_iri(current.issuer, self._addresses),
            purpose=current.purpose,
            encoded_list=bitstring_status_list.encode(bits),
            valid_from=now - _CLOCK_SKEW,
            valid_until=now + VALID_FOR,
            ttl=timedelta(seconds=STATUS_LIST_SECONDS),
        )
        content = await self._securing.secure(Unsigned(SplitDocument(document), current.issuer, current.format))
        return SignedStatusList(content, status_list.version, current.key_id, now, now + _RENEW_AFTER)


async def changeable(
    tx: Transaction, principal: Principal, ids: Sequence[UUID], status: CredentialStatus
) -> dict[UUID, Credential | LapelError]:
    """Return each credential, if it can be given `status` or has it already, or else the error why it cannot.

    The credentials are locked until the end of `tx`, so that what is recorded then describes exactly this change.
    """
    credentials = {credential.id: credential for credential in await tx.credentials.find_many(ids, lock=True)}
    suspendable = set[UUID]()
    if status is CredentialStatus.SUSPENDED:
        suspendable = await _suspension_lists(tx, credentials.values())
    return {
        credential_id: _changeable(principal, credentials.get(credential_id), credential_id, status, suspendable)
        for credential_id in ids
    }


async def _suspension_lists(tx: Transaction, credentials: Iterable[Credential]) -> set[UUID]:
    list_ids = {credential.status_list_id for credential in credentials if credential.status_list_id is not None}
    found = await tx.status_lists.find_many(list(list_ids))
    return {status_list.id for status_list in found if status_list.purpose is StatusPurpose.SUSPENSION}


def _changeable(
    principal: Principal,
    credential: Credential | None,
    credential_id: UUID,
    status: CredentialStatus,
    suspendable: Container[UUID],
) -> Credential | LapelError:
    credential = principal.own(credential)
    if credential is None:
        return NotFound(f"There is no credential {credential_id}.")
    if credential.erased_at is not None:
        return CredentialErased(f"Credential {credential_id} has been erased.")
    if credential.status is status:
        return credential
    if credential.status is CredentialStatus.REVOKED:
        return Conflict(f"Credential {credential_id} is revoked, and a revocation is final.", hint="Issue it anew.")
    if credential.status_list_id is None:
        return StatusElsewhere()
    if status is CredentialStatus.SUSPENDED and credential.status_list_id not in suspendable:
        return NotSuspendable()
    return credential


async def record_status_changes(
    tx: Transaction, by: Principal, before: Mapping[UUID, Credential], changed: Sequence[Credential]
) -> None:
    """Record each credential's old and new status in the audit log, and count the changes after the commit.

    The reason is not recorded: it may contain personal data of the recipient, which erasing must remove.

    Args:
        before: the same credentials before the change, and perhaps others.
    """
    entries = [
        entry_of(
            by,
            _ACTIONS[credential.status] if credential.replaced_by_id is None else Action.CREDENTIAL_REPLACED,
            credential.id,
            before=_audited(before[credential.id]),
            after=_audited(credential),
        )
        for credential in changed
    ]
    await tx.audit_log.record_many(entries)
    tx.after_commit(lambda: STATUS_CHANGES.count(changed))


def _audited(credential: Credential) -> JsonObject:
    replacement = credential.replaced_by_id
    return {"status": credential.status.value, "replaced_by": None if replacement is None else str(replacement)}
