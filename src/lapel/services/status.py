"""The standing of credentials: revoke, and publish what is revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from lapel.credentials import bitstring_status_list
from lapel.domain.access import Principal, Scope
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus, StatusChange
from lapel.domain.ports import Clock, Store, Transaction
from lapel.domain.status_list import StatusList, StatusPurpose
from lapel.errors import NotFound, Unsupported
from lapel.openbadges.problems import Problems
from lapel.openbadges.profile import issuer_iri
from lapel.services.securing import Securing
from lapel.services.single_flight import SingleFlight

__all__ = ["STATUS_LIST_SECONDS", "SignedStatusList", "Statuses"]

STATUS_LIST_SECONDS: Final = 300
"""How long a verifier may keep a status list: its ``ttl`` and the HTTP max-age."""

_CACHED_LISTS: Final = 512
_CLOCKS_APART: Final = timedelta(seconds=60)
"""A list says that it is valid since a little earlier: a verifier's clock may be behind, or its question older."""
_STATUS_OF: Final = {
    StatusPurpose.REVOCATION: CredentialStatus.REVOKED,
    StatusPurpose.SUSPENSION: CredentialStatus.SUSPENDED,
}


@dataclass(frozen=True, slots=True)
class SignedStatusList:
    """A signed BitstringStatusListCredential.

    Attributes:
        content: UTF-8 JSON.
        version: grows with each change of a bit; good for an ETag.
    """

    content: bytes
    version: int


class Statuses:
    """Revocation."""

    def __init__(self, *, store: Store, clock: Clock, addresses: Addresses, securing: Securing) -> None:
        self._store = store
        self._clock = clock
        self._addresses = addresses
        self._securing = securing
        self._signed: LRUCache[UUID, SignedStatusList] = LRUCache(_CACHED_LISTS)
        self._flight = SingleFlight()

    async def change(
        self, principal: Principal, credential_id: UUID, status: CredentialStatus, reason: str | None = None
    ) -> Credential:
        """The credential as it now is. Revoking a revoked one again changes nothing, not even the reason.

        Raises:
            Forbidden: no scope ``credentials:status``.
            InvalidInput: the reason is empty or too long.
            NotFound: the organisation has no such credential.
            Conflict: it is revoked, and a revocation is final.
            Unsupported: suspension, which this server does not offer yet.
        """
        principal.require(Scope.CREDENTIALS_STATUS)
        problems = Problems()
        problems.text(reason, "/reason")
        problems.raise_any()
        if status is CredentialStatus.SUSPENDED:
            raise Unsupported("Credentials cannot be suspended here.", hint="Revoke the credential instead.")

        async def body(tx: Transaction) -> Credential:
            credential = await tx.credentials.get(credential_id)
            if credential.organisation_id != principal.organisation_id:
                raise NotFound(f"There is no credential {credential_id}.")
            if credential.status is status:
                return credential
            return await tx.credentials.change_status(
                StatusChange(credential_id=credential_id, status=status, reason=reason, changed_at=self._clock())
            )

        return await self._store.run(body, idempotent=True)

    async def status_list(self, list_id: UUID) -> SignedStatusList:
        """The list as it stands, signed; signed again only when a bit has changed. Raises NotFound."""
        status_list = await self._current(list_id)
        if (cached := self._cached(status_list)) is not None:
            return cached
        async with self._flight.one(list_id):
            # The version is read before the bits: a change in between is in the bits, and makes the version older than
            # they are, so that the next reader signs anew. No change can be missed.
            status_list = await self._current(list_id)
            if (cached := self._cached(status_list)) is not None:
                return cached
            signed = SignedStatusList(await self._sign(status_list), status_list.version)
            self._signed[list_id] = signed
            return signed

    def _cached(self, status_list: StatusList) -> SignedStatusList | None:
        cached = self._signed.get(status_list.id)
        return cached if cached is not None and cached.version == status_list.version else None

    async def _current(self, list_id: UUID) -> StatusList:
        found = await self._store.read().status_lists.find(list_id)
        if found is None:
            raise NotFound(f"There is no status list {list_id}.")
        return found

    async def _sign(self, status_list: StatusList) -> bytes:
        read = self._store.read()
        changed = read.credentials.set_indices(status_list.id, status=_STATUS_OF[status_list.purpose].value)
        indices = [index async for index in changed]
        issuer = await read.issuers.get(status_list.issuer_id)
        bits = bitstring_status_list.with_set(indices, length=status_list.length)
        document = bitstring_status_list.list_credential(
            list_url=self._addresses.status_list(status_list.id),
            issuer=issuer_iri(issuer, self._addresses),
            purpose=status_list.purpose,
            encoded_list=bitstring_status_list.encode(bits),
            valid_from=(self._clock() - _CLOCKS_APART).replace(microsecond=0),
            ttl=timedelta(seconds=STATUS_LIST_SECONDS),
        )
        return await self._securing.secure(document, issuer=issuer, format=CredentialFormat.EDDSA_RDFC_2022)
