"""Fetching documents from other servers through one guarded client."""
