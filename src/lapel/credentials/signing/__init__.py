"""Signing in other processes: our own beside the server, or one that holds the keys."""
