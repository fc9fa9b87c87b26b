"""The schema, once, for every database. The migrations lead to it; a test holds the two equal."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Table, UniqueConstraint
from sqlalchemy.schema import CheckConstraint, MetaData, SchemaItem

from lapel.database.types import Bytes, Flag, Folded, Identifier, Json, String, Timestamp, Whole

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


def _owned(name: str, *items: SchemaItem) -> Table:
    """A table of entities that belong to an organisation."""
    owner = Column("organisation_id", Identifier, ForeignKey("organisations.id"), nullable=False)
    return _table(name, Column("id", Identifier, primary_key=True), owner, *items)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of those rows alone; the dialects that know of it each take it by a name of their own."""
    return Index(name, *columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


organisations = _table(
    "organisations",
    Column("id", Identifier, primary_key=True),
    Column("name", String, nullable=False),
    Column("created_at", Timestamp, nullable=False),
)

images = _owned(
    "images",
    Column("digest", Bytes, nullable=False),
    Column("media_type", String, nullable=False),
    Column("content", Bytes, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    UniqueConstraint("organisation_id", "digest"),
)

issuers = _owned(
    "issuers",
    Column("version", Whole, nullable=False),
    Column("name", String, nullable=False),
    Column("name_folded", Folded, nullable=False),
    Column("identity", String, nullable=False),
    Column("did", String),
    Column("url", String),
    Column("email", String),
    Column("phone", String),
    Column("description", String),
    Column("image_id", Identifier, ForeignKey("images.id")),
    Column("profile", Json, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    UniqueConstraint("did"),
    _one_of("identity", "https", "did:web", "did:key"),
    Index("ix_issuers_organisation_id_id", "organisation_id", "id"),
    Index("ix_issuers_organisation_id_name_folded_id", "organisation_id", "name_folded", "id"),
)

signing_keys = _owned(
    "signing_keys",
    Column("issuer_id", Identifier, ForeignKey("issuers.id"), nullable=False),
    Column("algorithm", String, nullable=False),
    Column("public_key", Bytes, nullable=False),
    Column("private_key_encrypted", Bytes),
    Column("state", String, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("retired_at", Timestamp),
    Column("compromised_at", Timestamp),
    _one_of("algorithm", "Ed25519", "P-256", "RSA"),
    _one_of("state", "active", "retired", "compromised"),
    Index("ix_signing_keys_issuer_id_id", "issuer_id", "id"),
    _partial("uq_signing_keys_active", "issuer_id", "algorithm", where="state = 'active'", unique=True),
)

achievements = _owned(
    "achievements",
    Column("issuer_id", Identifier, ForeignKey("issuers.id"), nullable=False),
    Column("version", Whole, nullable=False),
    Column("name_folded", Folded, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Index("ix_achievements_organisation_id_id", "organisation_id", "id"),
    Index("ix_achievements_organisation_id_name_folded_id", "organisation_id", "name_folded", "id"),
    Index("ix_achievements_issuer_id_id", "issuer_id", "id"),
)

achievement_versions = _table(
    "achievement_versions",
    Column("achievement_id", Identifier, ForeignKey("achievements.id"), primary_key=True),
    Column("version", Whole, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
    Column("description", String, nullable=False),
    Column("criteria_id", String),
    Column("criteria_narrative", String),
    Column("achievement_type", String),
    Column("tags", Json, nullable=False),
    Column("image_id", Identifier, ForeignKey("images.id")),
    Column("details", Json, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("suspendable", Flag, nullable=False, server_default=sa.false()),
)

status_lists = _owned(
    "status_lists",
    Column("issuer_id", Identifier, ForeignKey("issuers.id"), nullable=False),
    Column("purpose", String, nullable=False),
    Column("length", Whole, nullable=False),
    Column("allocated", Whole, nullable=False),
    Column("version", Whole, nullable=False),
    Column("seed", Bytes, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    _one_of("purpose", "revocation", "suspension"),
    CheckConstraint("allocated >= 0 AND allocated <= length", name="allocated"),
    Index("ix_status_lists_issuer_id_purpose_id", "issuer_id", "purpose", "id"),
)

credentials = _owned(
    "credentials",
    Column("issuer_id", Identifier, ForeignKey("issuers.id"), nullable=False),
    Column("achievement_id", Identifier),
    Column("achievement_version", Whole),
    Column("format", String, nullable=False),
    Column("signed", Bytes, nullable=False),
    Column("recipient_type", String, nullable=False),
    Column("recipient_lookup", Bytes, nullable=False),
    Column("valid_from", Timestamp, nullable=False),
    Column("valid_until", Timestamp),
    Column("status", String, nullable=False),
    Column("status_reason", String),
    Column("status_changed_at", Timestamp),
    Column("status_list_id", Identifier, ForeignKey("status_lists.id")),
    Column("status_index", Whole),
    Column("status_position", Whole),
    Column("created_at", Timestamp, nullable=False),
    Column("issue_key", Bytes),
    Column("replaces_id", Identifier),
    Column("replaced_by_id", Identifier),
    Column("erased_at", Timestamp),
    # Not of the entity, and therefore last: see `SqlCredentialRepository.create`.
    Column("issued_in", Identifier),  # an entry of the audit log, which may have been pruned
    ForeignKeyConstraint(
        ["achievement_id", "achievement_version"],
        ["achievement_versions.achievement_id", "achievement_versions.version"],
    ),
    UniqueConstraint("status_list_id", "status_position"),  # positions come in order: their index grows at its end
    _one_of("status", "active", "suspended", "revoked"),
    _one_of("format", "eddsa-rdfc-2022", "vc-jwt"),
    Index("ix_credentials_organisation_id_id", "organisation_id", "id"),
    Index("ix_credentials_issuer_id_id", "issuer_id", "id"),
    Index("ix_credentials_achievement_id_id", "achievement_id", "id"),
    Index("ix_credentials_recipient_lookup_id", "recipient_lookup", "id"),
    Index("ix_credentials_organisation_id_valid_from_id", "organisation_id", "valid_from", "id"),
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
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("digest", Bytes, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Column("revoked_at", Timestamp),
    UniqueConstraint("digest"),
    _one_of("role", "owner", "admin", "issuer", "viewer"),
    Index("ix_api_keys_organisation_id_id", "organisation_id", "id"),
)

audit_log = _owned(  # `lapel.database.append_only` lets nobody change it
    "audit_log",
    Column("at", Timestamp, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("entity_id", Identifier),
    Column("address", String),
    Column("request_id", String),
    Column("details", Json, nullable=False),
    Index("ix_audit_log_organisation_id_id", "organisation_id", "id"),
    Index("ix_audit_log_organisation_id_actor_id", "organisation_id", "actor", "id"),
    Index("ix_audit_log_organisation_id_action_id", "organisation_id", "action", "id"),
    _partial("ix_audit_log_entity_id_id", "entity_id", "id", where="entity_id IS NOT NULL"),
)

server_facts = _table(
    "server_facts",
    Column("name", String, primary_key=True),
    Column("value", Bytes, nullable=False),
)

idempotent_requests = _owned(
    "idempotent_requests",
    Column("fingerprint", Bytes, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("outcome", Json, nullable=False),
    Index("ix_idempotent_requests_created_at", "created_at"),
)

# Which entities have changed, and in which of the database's transactions: where one can only tell others so
# (`lapel.database.postgresql.change_feed`). A row for each entity that ever changed.
changes = _table(
    "changes",
    Column("entity", String, primary_key=True),
    Column("key", Bytes, primary_key=True),
    Column("changed_in", Whole, nullable=False),
    Index("ix_changes_changed_in", "changed_in"),
)

# Transactions that are prepared elsewhere, or here, and are to be committed: see `lapel.database.two_phase`.
two_phase_decisions = _table(
    "two_phase_decisions",
    Column("name", String, primary_key=True),
    Column("decided_at", Timestamp, nullable=False),
)

__all__ = ["metadata", *metadata.tables]  # each table has the name that it has in the database
