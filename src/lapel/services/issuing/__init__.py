"""Issuing credentials: requests are checked, and credentials are built, signed, given a status entry and stored."""
