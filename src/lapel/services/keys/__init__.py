"""Signing keys: made, kept encrypted under a master key, published, withdrawn."""
