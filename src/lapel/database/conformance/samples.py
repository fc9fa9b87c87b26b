"""Sample entities. Each call creates a new one, valid unless its arguments are not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.access import ApiKey, Role, Scope, key_digest
from lapel.domain.achievement import Achievement
from lapel.domain.audit import Action, AuditEntry
from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.domain.idempotency import IdempotentRequest
from lapel.domain.identifiers import uuid7_source
from lapel.domain.image import Image
from lapel.domain.issuer import IdentityMethod, Issuer
from lapel.domain.json import JsonObject
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.signing_key import KeyAlgorithm, KeyState, SigningKey
from lapel.domain.status_list import StatusList, StatusPurpose

__all__ = [
    "MOMENT",
    "Scene",
    "achievement",
    "api_key",
    "audit_entry",
    "change",
    "credential",
    "image",
    "issuer",
    "new_id",
    "set_scene",
    "signing_key",
    "status_list",
]

MOMENT = datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=UTC)
new_id = uuid7_source()


def issuer(
    *, name: str = "Ada's school", did: str | None = None, profile: JsonObject | None = None, at: datetime = MOMENT
) -> Issuer:
    return Issuer(
        id=new_id(),
        organisation_id=DEFAULT_ORGANISATION_ID,
        version=1,
        name=name,
        identity=IdentityMethod.DID_WEB if did else IdentityMethod.HTTPS,
        created_at=at,
        updated_at=at,
        did=did,
        email="badges@example.org",
        profile=profile or {},
    )


def achievement(issuer_id: UUID, *, name: str = "Analytical engines", tags: tuple[str, ...] = ()) -> Achievement:
    return Achievement(
        id=new_id(),
        organisation_id=DEFAULT_ORGANISATION_ID,
        issuer_id=issuer_id,
        version=1,
        name=name,
        description="Programmed one",
        created_at=MOMENT,
        updated_at=MOMENT,
        criteria_narrative="Write a program",
        tags=tags,
    )


def status_list(issuer_id: UUID, *, length: int = 131_072) -> StatusList:
    return StatusList(
        id=new_id(),
        organisation_id=DEFAULT_ORGANISATION_ID,
        issuer_id=issuer_id,
        purpose=StatusPurpose.REVOCATION,
        length=length,
        allocated=0,
        version=1,
        seed=bytes(range(16)),
        created_at=MOMENT,
    )


def credential(
    issuer_id: UUID,
    *,
    achievement: Achievement | None = None,
    status_list_id: UUID | None = None,
    status_index: int | None = None,
    signed: bytes = b'{"proof": {}}',
) -> Credential:
    return Credential(
        id=new_id(),
        organisation_id=DEFAULT_ORGANISATION_ID,
        issuer_id=issuer_id,
        achievement_id=achievement.id if achievement else None,
        achievement_version=achievement.version if achievement else None,
        format=CredentialFormat.EDDSA_RDFC_2022,
        signed=signed,
        recipient_type="emailAddress",
        recipient_lookup=b"\x00\xff" * 16,
        valid_from=MOMENT,
        created_at=MOMENT,
        status_list_id=status_list_id,
        status_index=status_index,
        status_position=status_index,
    )


async def change(
    tx: DatabaseTransaction, *credentials: Credential, status: CredentialStatus, reason: str | None = None
) -> Sequence[Credential]:
    ids = [credential.id for credential in credentials]
    return await tx.credentials.change_status(ids, status=status, reason=reason, changed_at=MOMENT)


def idempotent_request() -> IdempotentRequest:
    return IdempotentRequest(
        id=new_id(), organisation_id=DEFAULT_ORGANISATION_ID, fingerprint=b"\x00\xff", created_at=MOMENT
    )


def image(content: bytes = b"\x89PNG") -> Image:
    return Image(
        id=new_id(),
        organisation_id=DEFAULT_ORGANISATION_ID,
        digest=hashlib.sha256(content).digest(),
        media_type="image/png",
        content=content,
        created_at=MOMENT,
    )


def api_key(secret: str | None = None) -> ApiKey:
    key_id = new_id()
    return ApiKey(
        id=key_id,
        organisation_id=DEFAULT_ORGANISATION_ID,
        name="a key",
        role=Role.ISSUER,
        scopes=(Scope.READ, Scope.CREDENTIALS_ISSUE),
        digest=key_digest(secret or str(key_id)),
        created_at=MOMENT,
    )


def audit_entry(
    *, actor: str = "command-line", action: Action = Action.ISSUER_CHANGED, entity_id: UUID | None = None
) -> AuditEntry:
    entry_id = new_id()
    return AuditEntry(
        id=entry_id,
        organisation_id=DEFAULT_ORGANISATION_ID,
        at=MOMENT,
        actor=actor,
        action=action,
        entity_id=entity_id,
        request_id="0123456789abcdef",
        details={"before": {"name": "Ada"}, "after": {"name": "Grace"}},
    )


def signing_key(issuer_id: UUID, *, state: KeyState = KeyState.ACTIVE) -> SigningKey:
    return SigningKey(
        id=new_id(),
        organisation_id=DEFAULT_ORGANISATION_ID,
        issuer_id=issuer_id,
        algorithm=KeyAlgorithm.ED25519,
        public_key=b"\x30public",
        private_key_encrypted=b"\x00sealed",
        state=state,
        created_at=MOMENT,
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """An issuer with an achievement and a status list, all of them stored."""

    issuer: Issuer
    achievement: Achievement
    status_list: StatusList

    def credential(self, index: int) -> Credential:
        """Return a credential of that issuer, achievement and list, which is not stored."""
        return credential(
            self.issuer.id, achievement=self.achievement, status_list_id=self.status_list.id, status_index=index
        )


async def set_scene(database: Database) -> Scene:
    """Store a new scene and return it."""
    async with database.transaction() as tx:
        return await _stored(tx)


async def _stored(tx: DatabaseTransaction) -> Scene:
    owner = issuer()
    await tx.issuers.create(owner)
    earned = achievement(owner.id)
    await tx.achievements.create(earned)
    reserved = await tx.status_lists.reserve(status_list(owner.id), count=1)
    return Scene(owner, earned, reserved.status_list)
