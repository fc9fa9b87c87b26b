"""Owners of the default organisation may make others: so may those of their keys that had every scope there was."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Give them the scope. A key that listed every scope by hand looks the same, and gets it, too."""
    op.execute(
        "UPDATE api_keys SET scopes = '"
        '["achievements:write","credentials:issue","credentials:status","issuers:write","keys:admin",'
        '"organisations:admin","read"]'
        "' WHERE role = 'owner' AND organisation_id = '00000000-0000-7000-8000-000000000001'"
        " AND CAST(scopes AS TEXT) = '"
        '["achievements:write","credentials:issue","credentials:status","issuers:write","keys:admin","read"]'
        "'"
    )
