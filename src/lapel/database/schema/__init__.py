"""The actual schema of a database, and the invariants of its rows, for checks."""
