"""Fetching from strangers through one guarded client."""
