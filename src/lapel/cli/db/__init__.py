"""``lapel db``: one module for each of its commands."""
