"""Signing keys: generated, stored encrypted under a master key, published, and withdrawn."""
