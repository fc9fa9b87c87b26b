"""The schema, defined once for every database. A test checks that the migrations lead to the same schema."""

from __future__ import annotations

from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Table, UniqueConstraint
from sqlalchemy.schema import CheckConstraint, MetaData, SchemaItem
from sqlalchemy.types import TypeDecorator

from lapel.database.types import Bytes, Flag, Folded, Identifier, Json, String, Timestamp, Whole

_Kind: TypeAlias = type[TypeDecorator[Any]]

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, metadata, *items, sqlite_strict=True)


def _owned(name: str, *items: SchemaItem, moment: str = "created_at") -> Table:
    """Return a table of entities that belong to an organisation. `moment` is the column for the time of creation."""
    owner = Column("organisation_id", Identifier, ForeignKey("organisations.id"), nullable=False)
    created = Column(moment, Timestamp, nullable=False)
    return _table(name, Column("id", Identifier, primary_key=True), owner, created, *items)


def _needed(kind: _Kind, *names: str) -> list[Column[object]]:
    return [Column(name, kind, nullable=False) for name in names]


def _optional(kind: _Kind, *names: str) -> list[Column[object]]:
    return [Column(name, kind) for name in names]


def _paged_by(*owners: str) -> list[Index]:
    """Return indexes for pages of the rows with the same value in one of these columns, by id."""
    return [Index(None, owner, "id") for owner in owners]


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, values))})", name=column)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return a partial index. Each dialect that supports them has its own parameter for the condition."""
    return Index(name, *columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


organisations = _table(
    "organisations",
    Column("id", Identifier, primary_key=True),
    *_needed(String, "name"),
    *_needed(Timestamp, "created_at"),
)

images = _owned(
    "images",
    *_needed(String, "media_type"),
    *_needed(Bytes, "digest", "content"),
    UniqueConstraint("organisation_id", "digest"),
)

issuers = _owned(
    "issuers",
    *_needed(Timestamp, "updated_at"),
    *_needed(Whole, "version"),
    *_needed(String, "name", "identity"),
    *_needed(Folded, "name_folded"),
    *_optional(String, "did", "url", "email", "phone", "description"),
    *_needed(Json, "profile"),
    Column("image_id", Identifier, ForeignKey("images.id")),
    UniqueConstraint("did"),
    _one_of("identity", "https", "did:web", "did:key"),
    *_paged_by("organisation_id"),
    Index(None, "organisation_id", "name_folded", "id"),
)

signing_keys = _owned(
    "signing_keys",
    Column("issuer_id", Identifier, ForeignKey("issuers.id"), nullable=False),
    *_needed(String, "algorithm", "state"),
    *_needed(Bytes, "public_key"),
    *_optional(Bytes, "private_key_encrypted"),
    *_optional(Timestamp, "retired_at", "compromised_at"),
    _one_of("algorithm", "Ed25519", "P-256", "RSA"),
    _one_of("state", "active", "retired", "compromised"),
    *_paged_by("organisation_id", "issuer_id"),
    _partial("uq_signing_keys_active", "issuer_id", "algorithm", where="state = 'active'", unique=True),
)

achievements = _owned(
    "achievements",
    Column("issuer_id", Identifier, ForeignKey("issuers.id"), nullable=False),
    *_needed(Whole, "version"),
    *_needed(Folded, "name_folded"),
    *_paged_by("organisation_id", "issuer_id"),
    Index(None, "organisation_id", "name_folded", "id"),
)

achievement_versions = _table(
    "achievement_versions",
    Column("achievement_id", Identifier, ForeignKey("achievements.id"), primary_key=True),
    Column("version", Whole, primary_key=True, autoincrement=False),
    *_needed(Timestamp, "updated_at"),
    *_needed(String, "name", "description"),
    *_optional(String, "criteria_id", "criteria_narrative", "achievement_type"),
    *_needed(Json, "tags", "details"),
    Column("image_id", Identifier, ForeignKey("images.id")),
    Column("suspendable", Flag, nullable=False, server_default=sa.false()),
)

status_lists = _owned(
    "status_lists",
    Column("issuer_id", Identifier, ForeignKey("issuers.id"), nullable=False),
    *_needed(String, "purpose"),
    *_needed(Whole, "length", "allocated", "version"),
    *_needed(Bytes, "seed"),
    _one_of("purpose", "revocation", "suspension"),
    CheckConstraint("allocated >= 0 AND allocated <= length", name="allocated"),
    Index(None, "issuer_id", "purpose", "id"),
)

credentials = _owned(
    "credentials",
    Column("issuer_id", Identifier, ForeignKey("issuers.id"), nullable=False),
    *_optional(Identifier, "achievement_id"),
    *_optional(Whole, "achievement_version"),
    *_needed(String, "format", "recipient_type", "status"),
    *_needed(Bytes, "signed", "recipient_lookup"),
    *_needed(Timestamp, "valid_from"),
    *_optional(Timestamp, "valid_until", "status_changed_at", "erased_at"),
    *_optional(String, "status_reason"),
    Column("status_list_id", Identifier, ForeignKey("status_lists.id")),
    *_optional(Whole, "status_index", "status_position"),
    *_optional(Bytes, "issue_key"),
    *_optional(Identifier, "replaces_id", "replaced_by_id"),
    # Not a field of the entity, and therefore last: see `SqlCredentialRepository.create`.
    Column("issued_in", Identifier),  # an audit log entry, without a foreign key because it may have been pruned
    ForeignKeyConstraint(
        ["achievement_id", "achievement_version"],
        ["achievement_versions.achievement_id", "achievement_versions.version"],
    ),
    UniqueConstraint("status_list_id", "status_position"),  # positions are sequential: the index grows at its end
    _one_of("status", "active", "suspended", "revoked"),
    _one_of("format", "eddsa-rdfc-2022", "vc-jwt"),
    *_paged_by("organisation_id", "issuer_id", "achievement_id", "recipient_lookup"),
    Index(None, "organisation_id", "valid_from", "id"),
    _partial("uq_credentials_issue_key", "issue_key", where="issue_key IS NOT NULL", unique=True),
    *(
        _partial(f"ix_credentials_{of}_withdrawn", of, "id", where="status <> 'active'")
        for of in ("organisation_id", "issuer_id", "achievement_id")
    ),
    _partial(
        "ix_credentials_status_list_id_status", "status_list_id", "status", "status_index", where="status <> 'active'"
    ),
)

api_keys = _owned(
    "api_keys",
    *_needed(String, "name", "role"),
    *_needed(Json, "scopes"),
    *_needed(Bytes, "digest"),
    *_optional(Timestamp, "expires_at", "revoked_at"),
    UniqueConstraint("digest"),
    _one_of("role", "owner", "admin", "issuer", "viewer"),
    *_paged_by("organisation_id"),
)

audit_log = _owned(  # entries cannot be changed: see `lapel.database.append_only`
    "audit_log",
    *_needed(String, "actor", "action"),
    *_optional(Identifier, "entity_id"),
    *_optional(String, "address", "request_id"),
    *_needed(Json, "details"),
    *_paged_by("organisation_id"),
    Index(None, "organisation_id", "actor", "id"),
    Index(None, "organisation_id", "action", "id"),
    _partial("ix_audit_log_entity_id_id", "entity_id", "id", where="entity_id IS NOT NULL"),
    moment="at",
)

server_facts = _table("server_facts", Column("name", String, primary_key=True), *_needed(Bytes, "value"))

idempotent_requests = _owned(
    "idempotent_requests", *_needed(Bytes, "fingerprint"), *_needed(Json, "outcome"), Index(None, "created_at")
)

# The database transaction that last changed each entity, for databases that notify other processes through a table
# (`lapel.database.postgresql.change_feed`). One row for each entity that was ever changed.
changes = _table(
    "changes",
    Column("entity", String, primary_key=True),
    Column("key", Bytes, primary_key=True),
    *_needed(Whole, "changed_in"),
    Index(None, "changed_in"),
)

# Prepared transactions, of this database or another one, that are to be committed: see `lapel.database.two_phase`.
two_phase_decisions = _table(
    "two_phase_decisions", Column("name", String, primary_key=True), *_needed(Timestamp, "decided_at")
)

__all__ = ["metadata", *metadata.tables]  # each table's variable has the table's name
