"""SQLite for Lapel, encrypted at rest: `DB_TYPE=sqlite-encrypted`."""
