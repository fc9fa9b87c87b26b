"""Lapel: a self-hosted Open Badges server."""
