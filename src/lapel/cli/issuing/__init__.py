"""``lapel issue``: one achievement to everybody in a file."""

from __future__ import annotations

from lapel.cli.issuing.command import issue

__all__ = ["issue"]
