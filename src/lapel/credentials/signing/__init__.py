"""Signing in other processes: in a worker for speed, or in a signer that holds the keys."""
