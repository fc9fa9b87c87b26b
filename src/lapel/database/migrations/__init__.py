"""One Alembic tree for all databases."""
