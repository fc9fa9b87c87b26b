"""The URLs that a page may link to."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

__all__ = ["mail_link", "web_link"]

_MAX_LENGTH: Final = 2000


def web_link(value: object) -> str | None:
    """Return `value` if it is an http or https URL, else None."""
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None


def mail_link(value: str) -> str | None:
    """Return `value` if it is a mailto URL, else None."""
    return value if len(value) <= _MAX_LENGTH and value.lower().startswith("mailto:") else None
