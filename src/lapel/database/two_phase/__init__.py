"""Transactions across two databases, by two-phase commit."""
