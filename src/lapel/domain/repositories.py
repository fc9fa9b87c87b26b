"""The ports to stored entities, one for each aggregate; see `lapel.domain.ports`.

A page holds the rows whose ids sort before `before`, newest first, unless its method says otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lapel.domain.access import ApiKey, Scope
from lapel.domain.achievement import Achievement
from lapel.domain.credential import Credential, CredentialStatus, Withdrawn
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.image import Image
from lapel.domain.issuer import Issuer
from lapel.domain.listing import ALL_CREDENTIALS, CredentialFilter
from lapel.domain.organisation import Organisation
from lapel.domain.signing_key import KeyAlgorithm, SigningKey
from lapel.domain.status_list import ReservedPositions, StatusList

__all__ = [
    "AchievementRepository",
    "ApiKeyRepository",
    "CredentialRepository",
    "IdempotentRequestRepository",
    "ImageRepository",
    "IssuerRepository",
    "OrganisationRepository",
    "ServerFactRepository",
    "SigningKeyRepository",
    "StatusListRepository",
]


class OrganisationRepository(Protocol):
    async def create(self, organisation: Organisation) -> None: ...
    async def find(self, organisation_id: UUID) -> Organisation | None: ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Organisation]: ...

    async def rename(self, organisation_id: UUID, name: str) -> Organisation:
        """Return the organisation with its new name. Raises NotFound."""
        ...


class IssuerRepository(Protocol):
    async def create(self, issuer: Issuer) -> None: ...

    async def find(self, issuer_id: UUID) -> Issuer | None: ...

    async def get(self, issuer_id: UUID) -> Issuer:
        """Raises NotFound."""
        ...

    async def find_many(self, issuer_ids: Sequence[UUID]) -> Sequence[Issuer]:
        """Return those that exist, in no particular order, and not from the cache."""
        ...

    async def find_by_did(self, did: str) -> Issuer | None: ...

    async def default(self) -> Issuer | None:
        """Return the oldest issuer of the default organisation, which ``/.well-known/did.json`` describes."""
        ...

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Issuer]: ...

    async def page_by_name(
        self, organisation_id: UUID, prefix: str, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Issuer]:
        """Return issuers whose folded name (`fold_name`) begins with `prefix`, ordered by folded name and id.

        Args:
            after: the folded name and id of the last issuer on the previous page.
        """
        ...

    async def update(self, issuer: Issuer, *, expected_version: int) -> None:
        """Replace version `expected_version` by `issuer`. Raises PreconditionFailed if that is not the newest."""
        ...

    async def delete(self, issuer_id: UUID) -> Issuer:
        """Delete an issuer with its keys and status lists, and return it. Concurrent issuing for it waits, then fails.

        Raises NotFound, and InUse if it has achievements or credentials.
        """
        ...


class SigningKeyRepository(Protocol):
    async def create_if_none_active(self, key: SigningKey) -> SigningKey:
        """Store `key` unless the issuer has an active key of its algorithm; return the active key."""
        ...

    async def find_active(self, issuer_id: UUID, algorithm: KeyAlgorithm) -> SigningKey | None: ...

    async def find(self, key_id: UUID) -> SigningKey | None: ...

    async def of_issuer(self, issuer_id: UUID) -> Sequence[SigningKey]:
        """Return every key that the issuer ever had, oldest first."""
        ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[SigningKey]:
        """Return a page of the keys of all organisations."""
        ...

    async def newest(self, organisation_id: UUID, *, limit: int) -> Sequence[SigningKey]:
        """Return the newest keys of one organisation's issuers, newest first."""
        ...

    async def update(self, key: SigningKey) -> None:
        """Store the key's state, times and encrypted private key. Raises NotFound."""
        ...


class AchievementRepository(Protocol):
    async def create(self, achievement: Achievement) -> None: ...

    async def find(self, achievement_id: UUID, *, version: int | None = None) -> Achievement | None:
        """Return the given version, or the newest."""
        ...

    async def get(self, achievement_id: UUID, *, version: int | None = None) -> Achievement:
        """Raises NotFound."""
        ...

    async def find_many(self, achievement_ids: Sequence[UUID]) -> Sequence[Achievement]:
        """Return the newest versions of those that exist, in no particular order, and not from the cache."""
        ...

    async def page(
        self, organisation_id: UUID, *, issuer_id: UUID | None = None, before: UUID | None, limit: int
    ) -> Sequence[Achievement]: ...

    async def page_by_name(
        self,
        organisation_id: UUID,
        prefix: str,
        *,
        issuer_id: UUID | None = None,
        after: tuple[str, UUID] | None,
        limit: int,
    ) -> Sequence[Achievement]:
        """Return a page as in `IssuerRepository.page_by_name`."""
        ...

    async def update(self, achievement: Achievement, *, expected_version: int) -> None:
        """Store a new version. Raises PreconditionFailed if `expected_version` is not the newest."""
        ...

    async def delete(self, achievement_id: UUID) -> Achievement:
        """Delete an achievement with all its versions, and return the newest.

        Concurrent issuing for it waits, then fails. Raises NotFound, and InUse if there are credentials of it.
        """
        ...


class CredentialRepository(Protocol):
    async def create(self, credential: Credential, *, issued_in: UUID | None = None) -> None:
        """Store a credential. `issued_in` is the id of the audit log entry that records who issued it."""
        ...

    async def create_many(self, credentials: Sequence[Credential], *, issued_in: UUID | None = None) -> None: ...

    async def find(self, credential_id: UUID) -> Credential | None:
        """Return the credential; if it was erased, what remains of it."""
        ...

    async def get(self, credential_id: UUID) -> Credential:
        """Raises NotFound or CredentialErased."""
        ...

    async def issued_in(self, credential_id: UUID) -> UUID | None:
        """Return the id of the audit log entry that records who issued the credential, if known."""
        ...

    async def ids_of_recipient(self, organisation_id: UUID, recipient_lookup: bytes, *, limit: int) -> Sequence[UUID]:
        """Return ids of credentials of that recipient in the organisation; erased credentials have no recipient."""
        ...

    async def erase(self, issue_keys: Mapping[UUID, bytes | None], *, at: datetime) -> Sequence[Credential]:
        """Delete the recipients' data and revoke the credentials; then the versions of their status lists grow.

        Args:
            issue_keys: the credentials' new issue keys, by their ids.

        Returns:
            What remains of those that exist and were not erased before, in the same order.
        """
        ...

    async def find_many(self, credential_ids: Sequence[UUID], *, lock: bool = False) -> Sequence[Credential]:
        """Return those that exist, in no particular order.

        Args:
            lock: keep other transactions from changing or locking them until this one ends.
        """
        ...

    async def with_issue_keys(self, keys: Sequence[bytes]) -> Sequence[Credential]:
        """Return the credentials with these issue keys, in no particular order; unused keys are ignored."""
        ...

    async def page(
        self,
        organisation_id: UUID,
        filters: CredentialFilter = ALL_CREDENTIALS,
        *,
        before: UUID | None,
        valid_before: datetime | None = None,
        limit: int,
    ) -> Sequence[Credential]:
        """Return a page, newest first, or latest ``valid_from`` first if `filters.by_validity`; `signed` is included.

        Args:
            before: the id of the last credential on the previous page.
            valid_before: its ``valid_from``, only if the list is ordered by that.
        """
        ...

    async def change_status(
        self, credential_ids: Sequence[UUID], *, status: CredentialStatus, reason: str | None, changed_at: datetime
    ) -> Sequence[Credential]:
        """Change the status of those that exist and are not revoked, and return them, in no particular order.

        The versions of their status lists grow in the same transaction.
        """
        ...

    async def replace(self, old_id: UUID, new_id: UUID, *, reason: str, changed_at: datetime) -> Credential:
        """Revoke a credential, link it permanently with its replacement, and return the old one as changed.

        Raises:
            NotFound: there is no such credential.
            Conflict: it is already revoked.
        """
        ...

    def set_indices(self, status_list_id: UUID, *, status: str) -> AsyncIterator[int]:
        """Iterate over the indices in that list of credentials with that status, in order and in bounded memory."""
        ...

    async def withdrawn(self, issuer_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Withdrawn]:
        """Return a page of the issuer's credentials that are revoked or suspended."""
        ...

    def stream(self, organisation_id: UUID) -> AsyncIterator[Credential]:
        """Iterate over every credential of the organisation, oldest first and in bounded memory."""
        ...


class StatusListRepository(Protocol):
    async def find(self, list_id: UUID) -> StatusList | None: ...

    async def find_many(self, list_ids: Sequence[UUID]) -> Sequence[StatusList]:
        """Return those that exist, in no particular order."""
        ...

    async def reserve(self, new: StatusList, *, count: int) -> ReservedPositions:
        """Reserve up to `count` positions in the newest list with room for the issuer and purpose of `new`.

        If none has room, `new` is stored as the next shard. Positions are never reserved twice; unused ones are lost.
        """
        ...

    async def close(self, *, before: UUID) -> int:
        """Mark as full each list whose id sorts before `before`, and return how many had room."""
        ...


class ImageRepository(Protocol):
    async def create_if_absent(self, image: Image) -> Image:
        """Store `image` unless the organisation has one with its content; return the stored one."""
        ...

    async def find(self, image_id: UUID) -> Image | None: ...

    async def get(self, image_id: UUID) -> Image:
        """Raises NotFound."""
        ...


class ApiKeyRepository(Protocol):
    async def create(self, key: ApiKey) -> None: ...

    async def create_if_absent(self, key: ApiKey) -> ApiKey:
        """Store `key` unless there is one with its digest; return the stored one."""
        ...

    async def find(self, key_id: UUID) -> ApiKey | None: ...

    async def find_by_digest(self, digest: bytes) -> ApiKey | None: ...

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> Sequence[ApiKey]: ...

    async def revoke(self, key_id: UUID, *, at: datetime) -> ApiKey:
        """Raises NotFound."""
        ...

    async def set_scopes(self, key_id: UUID, scopes: Sequence[Scope]) -> ApiKey:
        """Raises NotFound."""
        ...

    async def any_exists(self) -> bool: ...


class ServerFactRepository(Protocol):
    """Small facts about this installation, such as the master key's check value."""

    async def find(self, name: str) -> bytes | None: ...

    async def recent(self, name: str) -> bytes | None:
        """Return the value, possibly cached: up to a second behind a change by another process."""
        ...

    async def put_if_absent(self, name: str, value: bytes) -> bytes:
        """Store `value` unless the fact has one; return the stored value."""
        ...

    async def replace(self, name: str, value: bytes) -> None:
        """Replace the value of an existing fact. Raises NotFound."""
        ...


class IdempotentRequestRepository(Protocol):
    async def create(self, request: IdempotentRequest) -> None:
        """Raises DoneBefore if a request with that id is stored."""
        ...

    async def create_many(self, requests: Sequence[IdempotentRequest]) -> None:
        """Raises Conflict if a request with one of these ids is stored."""
        ...

    async def find_many(self, request_ids: Sequence[UUID]) -> Sequence[IdempotentRequest]:
        """Return those that exist, in no particular order."""
        ...

    async def remove(self, request_id: UUID, *, before: datetime) -> None:
        """Remove the request if it was created before `before`."""
        ...

    async def remove_oldest(self, *, before: datetime, limit: int) -> int:
        """Remove at most `limit` requests created before `before`, oldest first, and return their number."""
        ...
