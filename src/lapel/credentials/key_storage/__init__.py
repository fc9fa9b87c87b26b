"""Stored keys: in files, and encrypted under the master key."""
