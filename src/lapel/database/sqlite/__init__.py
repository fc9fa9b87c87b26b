"""SQLite: one file, one server process, group commit."""
