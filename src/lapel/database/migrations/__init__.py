"""The migrations, one Alembic tree for all databases."""
