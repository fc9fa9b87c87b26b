"""Index the signing keys of an organisation, newest first, for its key set."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_signing_keys_organisation_id_id", "signing_keys", ["organisation_id", "id"])
