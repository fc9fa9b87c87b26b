"""Endorsements: those that a document carries, and those that an issuer gives."""
