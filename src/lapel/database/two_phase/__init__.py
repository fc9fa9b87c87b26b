"""Transactions across two databases: both are prepared, it is decided, and both are committed."""
