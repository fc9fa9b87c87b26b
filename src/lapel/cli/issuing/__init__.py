"""``lapel issue``: award one achievement to every recipient in a file."""

from __future__ import annotations

from lapel.cli.issuing.command import issue

__all__ = ["issue"]
