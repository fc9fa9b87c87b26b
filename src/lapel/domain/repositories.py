"""Where entities are kept: a Protocol for each aggregate; see `lapel.domain.ports`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
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

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Organisation]:
        """Newest first; those whose id sorts before `before`."""
        ...

    async def rename(self, organisation_id: UUID, name: str) -> Organisation:
        """The organisation under its new name. Raises NotFound."""
        ...


class IssuerRepository(Protocol):
    async def create(self, issuer: Issuer) -> None: ...

    async def find(self, issuer_id: UUID) -> Issuer | None: ...

    async def get(self, issuer_id: UUID) -> Issuer:
        """Raises NotFound."""
        ...

    async def find_by_did(self, did: str) -> Issuer | None: ...

    async def default(self) -> Issuer | None:
        """The oldest issuer of the default organisation: whom ``/.well-known/did.json`` speaks of."""
        ...

    async def page(self, organisation_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Issuer]:
        """Newest first; those whose id sorts before `before`."""
        ...

    async def page_by_name(
        self, organisation_id: UUID, prefix: str, *, after: tuple[str, UUID] | None, limit: int
    ) -> Sequence[Issuer]:
        """Those whose folded name (`fold_name`) begins with `prefix`, by it and their ids; those after `after`."""
        ...

    async def update(self, issuer: Issuer, *, expected_version: int) -> None:
        """Store `issuer` over the version `expected_version`. Raises PreconditionFailed if that is not the newest."""
        ...

    async def delete(self, issuer_id: UUID) -> Issuer:
        """Remove an issuer with its keys and status lists; whoever issues for it meanwhile waits, and fails.

        Answers what it was. Raises NotFound, and InUse where there are achievements or credentials of it.
        """
        ...


class SigningKeyRepository(Protocol):
    async def create_if_none_active(self, key: SigningKey) -> SigningKey:
        """The issuer's active key of that algorithm: `key`, now stored, or the one that was there first."""
        ...

    async def find_active(self, issuer_id: UUID, algorithm: KeyAlgorithm) -> SigningKey | None: ...

    async def find(self, key_id: UUID) -> SigningKey | None: ...

    async def of_issuer(self, issuer_id: UUID) -> Sequence[SigningKey]:
        """Every key the issuer ever had, oldest first."""
        ...

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[SigningKey]:
        """The keys of all organisations, newest first; those whose id sorts before `before`."""
        ...

    async def newest(self, organisation_id: UUID, *, limit: int) -> Sequence[SigningKey]:
        """The newest keys of one organisation's issuers, newest first."""
        ...

    async def update(self, key: SigningKey) -> None:
        """Store the key's state, times and encrypted private half. Raises NotFound."""
        ...


class AchievementRepository(Protocol):
    async def create(self, achievement: Achievement) -> None: ...

    async def find(self, achievement_id: UUID, *, version: int | None = None) -> Achievement | None:
        """The newest version, or that one."""
        ...

    async def get(self, achievement_id: UUID, *, version: int | None = None) -> Achievement:
        """Raises NotFound."""
        ...

    async def page(
        self, organisation_id: UUID, *, issuer_id: UUID | None = None, before: UUID | None, limit: int
    ) -> Sequence[Achievement]:
        """Newest first; those whose id sorts before `before`; of one issuer if `issuer_id` is given."""
        ...

    async def page_by_name(
        self,
        organisation_id: UUID,
        prefix: str,
        *,
        issuer_id: UUID | None = None,
        after: tuple[str, UUID] | None,
        limit: int,
    ) -> Sequence[Achievement]:
        """Those whose folded name (`fold_name`) begins with `prefix`, by it and their ids; those after `after`."""
        ...

    async def update(self, achievement: Achievement, *, expected_version: int) -> None:
        """Store a new version. Raises PreconditionFailed if `expected_version` is not the newest."""
        ...

    async def delete(self, achievement_id: UUID) -> Achievement:
        """Remove an achievement with all its versions; whoever issues for it meanwhile waits, and fails.

        Answers its newest version. Raises NotFound, and InUse where there are credentials of it.
        """
        ...


class CredentialRepository(Protocol):
    async def create(self, credential: Credential, *, issued_in: UUID | None = None) -> None:
        """Store it; `issued_in` is the entry of the audit log that tells who issued it."""
        ...

    async def create_many(self, credentials: Sequence[Credential], *, issued_in: UUID | None = None) -> None: ...

    async def find(self, credential_id: UUID) -> Credential | None:
        """The credential; of an erased one, what is left of it."""
        ...

    async def get(self, credential_id: UUID) -> Credential:
        """Raises NotFound, and CredentialErased."""
        ...

    async def issued_in(self, credential_id: UUID) -> UUID | None:
        """The entry of the audit log that tells who issued it, if that is known."""
        ...

    async def ids_of_recipient(self, organisation_id: UUID, recipient_lookup: bytes, *, limit: int) -> Sequence[UUID]:
        """Some of the organisation's credentials of that recipient, which none has once it is erased."""
        ...

    async def erase(self, credential_id: UUID, *, at: datetime, issue_key: bytes | None) -> Credential | None:
        """Take away everything of its recipient, and revoke it; its status list's version grows.

        Args:
            issue_key: what it is to have from now on.

        Returns:
            What is left; None where there is no such credential, or it has been erased before.
        """
        ...

    async def find_many(self, credential_ids: Sequence[UUID], *, lock: bool = False) -> Sequence[Credential]:
        """Those of them that are there, in no order.

        Args:
            lock: nobody else changes them, nor reads them so, before this transaction has ended.
        """
        ...

    async def with_issue_keys(self, keys: Sequence[bytes]) -> Sequence[Credential]:
        """Those that were issued under one of these keys, in no order; a key that has none is passed over."""
        ...

    async def page(
        self,
        organisation_id: UUID,
        wanted: CredentialFilter = ALL_CREDENTIALS,
        *,
        before: UUID | None,
        valid_before: datetime | None = None,
        limit: int,
    ) -> Sequence[Credential]:
        """Newest first, or latest ``valid_from`` first where `wanted` is by validity; `signed` is included.

        Args:
            before, valid_before: of the last one of the page before; the second only where the list is by validity.
        """
        ...

    async def change_status(
        self, credential_ids: Sequence[UUID], *, status: CredentialStatus, reason: str | None, changed_at: datetime
    ) -> Sequence[Credential]:
        """Change those that are there and not revoked, which is final: these as they now are, in no order.

        The versions of their lists grow in the same transaction.
        """
        ...

    async def replace(self, old_id: UUID, new_id: UUID, *, reason: str, changed_at: datetime) -> Credential:
        """Revoke a credential and link it for ever with the new one in its place; the old one as it now is.

        Raises:
            NotFound: there is no such credential.
            Conflict: it is revoked already.
        """
        ...

    def set_indices(self, status_list_id: UUID, *, status: str) -> AsyncIterator[int]:
        """The indices in that list of the credentials with that status, in order, in bounded memory."""
        ...

    async def withdrawn(self, issuer_id: UUID, *, before: UUID | None, limit: int) -> Sequence[Withdrawn]:
        """What the issuer has revoked, or has suspended now; newest first, those whose id sorts before `before`."""
        ...

    def stream(self, organisation_id: UUID) -> AsyncIterator[Credential]:
        """Every credential of the organisation, oldest first, in bounded memory."""
        ...


class StatusListRepository(Protocol):
    async def find(self, list_id: UUID) -> StatusList | None: ...

    async def reserve(self, new: StatusList, *, count: int) -> ReservedPositions:
        """Reserve up to `count` positions in the newest list of `new`'s issuer and purpose that has room.

        `new` is stored as the next shard if none has room. Positions are never given twice; those that are not used
        are lost.
        """
        ...

    async def close(self, *, before: UUID) -> int:
        """Reserve for nobody what is left of each list whose id sorts before that. How many had room."""
        ...


class ImageRepository(Protocol):
    async def create_if_absent(self, image: Image) -> Image:
        """The organisation's image with that content: `image`, now stored, or the one that was there first."""
        ...

    async def find(self, image_id: UUID) -> Image | None: ...

    async def get(self, image_id: UUID) -> Image:
        """Raises NotFound."""
        ...


class ApiKeyRepository(Protocol):
    async def create(self, key: ApiKey) -> None: ...

    async def create_if_absent(self, key: ApiKey) -> ApiKey:
        """The key with that digest: `key`, now stored, or the one that was there first."""
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
        """The fact's value, as late as the cache may be: a second after another process has changed it."""
        ...

    async def put_if_absent(self, name: str, value: bytes) -> bytes:
        """The fact's value: `value`, now stored, or what was there first."""
        ...

    async def replace(self, name: str, value: bytes) -> None:
        """Store `value` over the fact's old one. Raises NotFound."""
        ...


class IdempotentRequestRepository(Protocol):
    async def create(self, request: IdempotentRequest) -> None:
        """Raises DoneBefore if one with that id is there."""
        ...

    async def create_many(self, requests: Sequence[IdempotentRequest]) -> None:
        """Raises Conflict if one of them is there."""
        ...

    async def find_many(self, request_ids: Sequence[UUID]) -> Sequence[IdempotentRequest]:
        """Those of them that are there, in no order."""
        ...

    async def remove(self, request_id: UUID, *, before: datetime) -> None:
        """Remove it if it was made before then."""
        ...

    async def remove_oldest(self, *, before: datetime, limit: int) -> int:
        """Remove those that were made before then, at most `limit`, the oldest first. How many it were."""
        ...
