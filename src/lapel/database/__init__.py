"""The database layer: one interface for all databases. Start at `lapel.database.factory`."""
