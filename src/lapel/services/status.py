"""The standing of credentials: revoke, suspend and reinstate them, and publish how they stand."""

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
from lapel.services.issuing.securing import Securing, Unsigned
from lapel.services.metrics.counting import STATUS_CHANGES
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
"""How soon a verifier should look again: a list's ``ttl`` and the HTTP max-age. So late is a change seen elsewhere."""

VALID_FOR: Final = timedelta(hours=24)
"""How long a signed list may be believed (``validUntil``): so long can somebody between the server and a verifier go on
showing an old one, and so long can caches answer for a server that is down."""

_RENEW_AFTER: Final = VALID_FOR / 2
"""So long after the last time a list is signed anew, though nothing has changed: what is served holds that long yet."""

_CACHED_LISTS: Final = 512
_CLOCKS_APART: Final = timedelta(seconds=60)
"""A list says that it is valid since a little earlier: a verifier's clock may be behind, or its question older."""
_SETTING: Final = {
    StatusPurpose.REVOCATION: (CredentialStatus.REVOKED,),
    # In this order: what is suspended and then revoked while the one and then the other is read is not missed.
    StatusPurpose.SUSPENSION: (CredentialStatus.SUSPENDED, CredentialStatus.REVOKED),
}
"""Which standings set the bit."""
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
        version: grows with each change of a bit.
        key_id: the key that signed it.
        signed_at, renew_at: before the one and from the other on it is not to be handed out. The clock may be set back.
    """

    content: bytes
    version: int
    key_id: UUID
    signed_at: datetime
    renew_at: datetime


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A list as it stands now, and the key that would sign it now."""

    status_list: StatusList
    purpose: StatusPurpose
    issuer: Issuer
    format: CredentialFormat
    key_id: UUID


class Statuses:
    """Revocation and suspension."""

    def __init__(self, *, store: Store, clock: Clock, addresses: Addresses, securing: Securing) -> None:
        self._store = store
        self._clock = clock
        self._addresses = addresses
        self._securing = securing
        self._signed: LRUCache[Hashable, SignedStatusList] = LRUCache(_CACHED_LISTS)
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
        """The credential as it now is. One that stands so already is not changed, not even the reason.

        Raises:
            Forbidden: no scope ``credentials:status``.
            InvalidInput: the reason is empty or too long.
            NotFound: the organisation has no such credential.
            Conflict: it is revoked, and a revocation is final.
            StatusElsewhere: it has no entry in a list of this server's.
            NotSuspendable: its achievement was not suspendable when it was issued.
            DoneBefore: `once` was done already.
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
        """The list as it stands, signed; signed again when a bit or the issuer's key has changed, or it grows old.

        Args:
            revocations: of a list for suspension, what is revoked.
            format: an embedded proof, or a VC-JWT.

        Raises:
            NotFound: there is no such list.
        """
        wanted = await self._wanted(list_id, revocations, format)
        if (kept := self._kept(wanted)) is not None:
            return kept
        async with self._flight.one(self._key(wanted)):
            # The version is read before the bits: a change in between is in the bits, and makes the version older than
            # they are, so that the next reader signs anew. No change can be missed.
            wanted = await self._wanted(list_id, revocations, format)
            if (kept := self._kept(wanted)) is not None:
                return kept
            signed = self._signed[self._key(wanted)] = await self._sign(wanted)
            return signed

    def _key(self, wanted: _Wanted) -> Hashable:
        return self._store.generation, wanted.status_list.id, wanted.purpose, wanted.format

    def _kept(self, wanted: _Wanted) -> SignedStatusList | None:
        kept = self._signed.get(self._key(wanted))
        if kept is None or (kept.version, kept.key_id) != (wanted.status_list.version, wanted.key_id):
            return None
        return kept if kept.signed_at <= self._clock() < kept.renew_at else None

    async def _wanted(self, list_id: UUID, revocations: bool, format_: CredentialFormat) -> _Wanted:
        read = self._store.read()
        found = await read.status_lists.find(list_id)
        if found is None or (revocations and found.purpose is not StatusPurpose.SUSPENSION):
            raise NotFound(f"There is no such status list of {list_id}.")
        issuer = await read.issuers.get(found.issuer_id)
        key_id = await self._securing.key_id(issuer, format_)
        return _Wanted(found, StatusPurpose.REVOCATION if revocations else found.purpose, issuer, format_, key_id)

    async def _sign(self, wanted: _Wanted) -> SignedStatusList:
        now, status_list = self._clock().replace(microsecond=0), wanted.status_list
        credentials = self._store.read().credentials
        indices = [
            index
            for status in _SETTING[wanted.purpose]
            async for index in credentials.set_indices(status_list.id, status=status.value)
        ]
        bits = bitstring_status_list.from_indices(indices, length=status_list.length)
        own = wanted.purpose is status_list.purpose
        document = bitstring_status_list.list_credential(
            list_url=(self._addresses.status_list if own else self._addresses.revocations_among)(status_list.id),
            issuer=issuer_iri(wanted.issuer, self._addresses),
            purpose=wanted.purpose,
            encoded_list=bitstring_status_list.encode(bits),
            valid_from=now - _CLOCKS_APART,
            valid_until=now + VALID_FOR,
            ttl=timedelta(seconds=STATUS_LIST_SECONDS),
        )
        content = await self._securing.secure(Unsigned(SplitDocument(document), wanted.issuer, wanted.format))
        return SignedStatusList(content, status_list.version, wanted.key_id, now, now + _RENEW_AFTER)


async def changeable(
    tx: Transaction, principal: Principal, wanted: Sequence[UUID], status: CredentialStatus
) -> dict[UUID, Credential | LapelError]:
    """Each as it stands, if it can be brought to `status` or stands so already; or why it cannot.

    It stands so until the end of `tx`: what is recorded of it then is what has become of just this.
    """
    found = {one.id: one for one in await tx.credentials.find_many(wanted, lock=True)}
    suspendable = set[UUID]()
    if status is CredentialStatus.SUSPENDED:
        suspendable = await _lists_for_suspension(tx, found.values())
    return {one: _changeable(principal, found.get(one), one, status, suspendable) for one in wanted}


async def _lists_for_suspension(tx: Transaction, credentials: Iterable[Credential]) -> set[UUID]:
    lists = [
        await tx.status_lists.find(one) for one in {each.status_list_id for each in credentials} if one is not None
    ]
    return {one.id for one in lists if one is not None and one.purpose is StatusPurpose.SUSPENSION}


def _changeable(
    principal: Principal, found: Credential | None, wanted: UUID, status: CredentialStatus, suspendable: Container[UUID]
) -> Credential | LapelError:
    if found is None or found.organisation_id != principal.organisation_id:
        return NotFound(f"There is no credential {wanted}.")
    if found.erased_at is not None:
        return CredentialErased(f"Credential {wanted} has been erased.")
    if found.status is status:
        return found
    if found.status is CredentialStatus.REVOKED:
        return Conflict(f"Credential {wanted} is revoked, and a revocation is final.", hint="Issue it anew.")
    if found.status_list_id is None:
        return StatusElsewhere()
    if status is CredentialStatus.SUSPENDED and found.status_list_id not in suspendable:
        return NotSuspendable()
    return found


async def record_status_changes(
    tx: Transaction, by: Principal, before: Mapping[UUID, Credential], changed: Sequence[Credential]
) -> None:
    """Record what the standing of each was and is, and count it once that is committed.

    The reason is not recorded: it may tell of the recipient, whom erasing forgets.

    Args:
        before: the same credentials as they were, and perhaps others.
    """
    entries = [
        entry_of(
            by,
            _ACTIONS[one.status] if one.replaced_by_id is None else Action.CREDENTIAL_REPLACED,
            one.id,
            before=_standing(before[one.id]),
            after=_standing(one),
        )
        for one in changed
    ]
    await tx.audit_log.record_many(entries)
    tx.after_commit(lambda: STATUS_CHANGES.count(changed))


def _standing(credential: Credential) -> JsonObject:
    instead = credential.replaced_by_id
    return {"status": credential.status.value, "replaced_by": None if instead is None else str(instead)}
