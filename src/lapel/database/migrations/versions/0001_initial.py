"""Create the initial schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lapel.database.types import Bytes, Identifier, Json, String, Timestamp, Whole
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "organisations",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("name", String(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sqlite_strict=True,
    )
    op.create_table(
        "server_facts",
        sa.Column("name", String(), nullable=False),
        sa.Column("value", Bytes(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_server_facts")),
        sqlite_strict=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("name", String(), nullable=False),
        sa.Column("role", String(), nullable=False),
        sa.Column("scopes", Json(), nullable=False),
        sa.Column("digest", Bytes(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("expires_at", Timestamp(), nullable=True),
        sa.Column("revoked_at", Timestamp(), nullable=True),
        sa.CheckConstraint("role IN ('owner', 'admin', 'issuer', 'viewer')", name=op.f("ck_api_keys_role")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_api_keys_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
        sqlite_strict=True,
    )
    op.create_index("ix_api_keys_organisation_id_id", "api_keys", ["organisation_id", "id"], unique=False)
    op.create_table(
        "images",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("digest", Bytes(), nullable=False),
        sa.Column("media_type", String(), nullable=False),
        sa.Column("content", Bytes(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_images_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_images")),
        sa.UniqueConstraint("organisation_id", "digest", name=op.f("uq_images_organisation_id_digest")),
        sqlite_strict=True,
    )
    op.create_table(
        "issuers",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("version", Whole(), nullable=False),
        sa.Column("name", String(), nullable=False),
        sa.Column("name_folded", String(), nullable=False),
        sa.Column("identity", String(), nullable=False),
        sa.Column("did", String(), nullable=True),
        sa.Column("url", String(), nullable=True),
        sa.Column("email", String(), nullable=True),
        sa.Column("phone", String(), nullable=True),
        sa.Column("description", String(), nullable=True),
        sa.Column("image_id", Identifier(), nullable=True),
        sa.Column("profile", Json(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("updated_at", Timestamp(), nullable=False),
        sa.CheckConstraint("identity IN ('https', 'did:web', 'did:key')", name=op.f("ck_issuers_identity")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_issuers_image_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_issuers_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuers")),
        sa.UniqueConstraint("did", name=op.f("uq_issuers_did")),
        sqlite_strict=True,
    )
    op.create_index("ix_issuers_organisation_id_id", "issuers", ["organisation_id", "id"], unique=False)
    op.create_table(
        "achievements",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("issuer_id", Identifier(), nullable=False),
        sa.Column("version", Whole(), nullable=False),
        sa.Column("name_folded", String(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuers.id"], name=op.f("fk_achievements_issuer_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_achievements_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_achievements")),
        sqlite_strict=True,
    )
    op.create_index("ix_achievements_issuer_id_id", "achievements", ["issuer_id", "id"], unique=False)
    op.create_index("ix_achievements_organisation_id_id", "achievements", ["organisation_id", "id"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("issuer_id", Identifier(), nullable=False),
        sa.Column("algorithm", String(), nullable=False),
        sa.Column("public_key", Bytes(), nullable=False),
        sa.Column("private_key_encrypted", Bytes(), nullable=True),
        sa.Column("state", String(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.Column("retired_at", Timestamp(), nullable=True),
        sa.Column("compromised_at", Timestamp(), nullable=True),
        sa.CheckConstraint("algorithm IN ('Ed25519', 'P-256', 'RSA')", name=op.f("ck_signing_keys_algorithm")),
        sa.CheckConstraint("state IN ('active', 'retired', 'compromised')", name=op.f("ck_signing_keys_state")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuers.id"], name=op.f("fk_signing_keys_issuer_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_signing_keys_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
        sqlite_strict=True,
    )
    op.create_index("ix_signing_keys_issuer_id_id", "signing_keys", ["issuer_id", "id"], unique=False)
    op.create_index(
        "uq_signing_keys_active",
        "signing_keys",
        ["issuer_id", "algorithm"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "status_lists",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("issuer_id", Identifier(), nullable=False),
        sa.Column("purpose", String(), nullable=False),
        sa.Column("length", Whole(), nullable=False),
        sa.Column("allocated", Whole(), nullable=False),
        sa.Column("version", Whole(), nullable=False),
        sa.Column("seed", Bytes(), nullable=False),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.CheckConstraint("purpose IN ('revocation', 'suspension')", name=op.f("ck_status_lists_purpose")),
        sa.CheckConstraint("allocated >= 0 AND allocated <= length", name=op.f("ck_status_lists_allocated")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuers.id"], name=op.f("fk_status_lists_issuer_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_status_lists_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_lists")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_status_lists_issuer_id_purpose_id", "status_lists", ["issuer_id", "purpose", "id"], unique=False
    )
    op.create_table(
        "achievement_versions",
        sa.Column("achievement_id", Identifier(), nullable=False),
        sa.Column("version", Whole(), autoincrement=False, nullable=False),
        sa.Column("name", String(), nullable=False),
        sa.Column("description", String(), nullable=False),
        sa.Column("criteria_id", String(), nullable=True),
        sa.Column("criteria_narrative", String(), nullable=True),
        sa.Column("achievement_type", String(), nullable=True),
        sa.Column("tags", Json(), nullable=False),
        sa.Column("image_id", Identifier(), nullable=True),
        sa.Column("details", Json(), nullable=False),
        sa.Column("updated_at", Timestamp(), nullable=False),
        sa.ForeignKeyConstraint(
            ["achievement_id"], ["achievements.id"], name=op.f("fk_achievement_versions_achievement_id")
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_achievement_versions_image_id")),
        sa.PrimaryKeyConstraint("achievement_id", "version", name=op.f("pk_achievement_versions")),
        sqlite_strict=True,
    )
    op.create_table(
        "credentials",
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("organisation_id", Identifier(), nullable=False),
        sa.Column("issuer_id", Identifier(), nullable=False),
        sa.Column("achievement_id", Identifier(), nullable=True),
        sa.Column("achievement_version", Whole(), nullable=True),
        sa.Column("format", String(), nullable=False),
        sa.Column("signed", Bytes(), nullable=False),
        sa.Column("recipient_type", String(), nullable=False),
        sa.Column("recipient_lookup", Bytes(), nullable=False),
        sa.Column("valid_from", Timestamp(), nullable=False),
        sa.Column("valid_until", Timestamp(), nullable=True),
        sa.Column("status", String(), nullable=False),
        sa.Column("status_reason", String(), nullable=True),
        sa.Column("status_changed_at", Timestamp(), nullable=True),
        sa.Column("status_list_id", Identifier(), nullable=True),
        sa.Column("status_index", Whole(), nullable=True),
        sa.Column("created_at", Timestamp(), nullable=False),
        sa.CheckConstraint("format IN ('eddsa-rdfc-2022', 'vc-jwt')", name=op.f("ck_credentials_format")),
        sa.CheckConstraint("status IN ('active', 'suspended', 'revoked')", name=op.f("ck_credentials_status")),
        sa.ForeignKeyConstraint(
            ["achievement_id", "achievement_version"],
            ["achievement_versions.achievement_id", "achievement_versions.version"],
            name=op.f("fk_credentials_achievement_id"),
        ),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuers.id"], name=op.f("fk_credentials_issuer_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_credentials_organisation_id")),
        sa.ForeignKeyConstraint(["status_list_id"], ["status_lists.id"], name=op.f("fk_credentials_status_list_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("status_list_id", "status_index", name=op.f("uq_credentials_status_list_id_status_index")),
        sqlite_strict=True,
    )
    op.create_index("ix_credentials_achievement_id_id", "credentials", ["achievement_id", "id"], unique=False)
    op.create_index("ix_credentials_issuer_id_id", "credentials", ["issuer_id", "id"], unique=False)
    op.create_index("ix_credentials_organisation_id_id", "credentials", ["organisation_id", "id"], unique=False)
    op.create_index("ix_credentials_recipient_lookup_id", "credentials", ["recipient_lookup", "id"], unique=False)
    op.create_index(
        "ix_credentials_issuer_id_revoked",
        "credentials",
        ["issuer_id", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'revoked'"),
        postgresql_where=sa.text("status = 'revoked'"),
    )
    op.create_index(
        "ix_credentials_status_list_id_status",
        "credentials",
        ["status_list_id", "status", "status_index"],
        unique=False,
        sqlite_where=sa.text("status <> 'active'"),
        postgresql_where=sa.text("status <> 'active'"),
    )

    moment = "CURRENT_TIMESTAMP" if _native() else "CAST(strftime('%s', 'now') AS INTEGER) * 1000"
    op.execute(
        "INSERT INTO organisations (id, name, created_at) "  # noqa: S608 - from this file
        f"VALUES ('{DEFAULT_ORGANISATION_ID}', 'Default organisation', {moment})"
    )


def _native() -> bool:
    return bool(op.get_context().dialect.supports_native_uuid)
