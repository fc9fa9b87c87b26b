"""Comparing a living database with what it should be."""
