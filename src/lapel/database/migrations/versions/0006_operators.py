"""Allow owners of the default organisation to create others, with those of their keys that have all other scopes."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the scope to these keys. It also goes to keys for which all scopes were listed, which look the same."""
    op.execute(
        "UPDATE api_keys SET scopes = '"
        '["achievements:write","credentials:issue","credentials:status","issuers:write","keys:admin",'
        '"organisations:admin","read"]'
        "' WHERE role = 'owner' AND organisation_id = '00000000-0000-7000-8000-000000000001'"
        " AND CAST(scopes AS TEXT) = '"
        '["achievements:write","credentials:issue","credentials:status","issuers:write","keys:admin","read"]'
        "'"
    )
