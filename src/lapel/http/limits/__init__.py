"""Limits on requests: how many, how many at a time, and how long; and the client's address, by which they count."""
