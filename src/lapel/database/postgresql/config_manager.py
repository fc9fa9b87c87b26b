"""Session-level configuration: every connection of the pool starts with these, and a check reads them back."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from lapel.database.errors import InvalidValue
from lapel.database.interface import DatabaseSettings

__all__ = ["APPLICATION_NAME", "masked", "session_settings"]

APPLICATION_NAME = "lapel"
_SCHEMES = ("postgres", "postgresql")


def session_settings(settings: DatabaseSettings) -> Mapping[str, str]:
    """PostgreSQL's run-time parameters for our sessions, as text. Times are in milliseconds."""
    return {
        "application_name": APPLICATION_NAME,
        "timezone": "UTC",
        "client_encoding": "UTF8",
        "statement_timeout": _milliseconds(settings.statement_seconds),
        "lock_timeout": _milliseconds(settings.lock_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(settings.idle_in_transaction_seconds),
        # Our statements are short; compiling them takes longer than running them.
        "jit": "off",
    }


def masked(url: str) -> str:
    """`url` without its password.

    Raises:
        InvalidValue: it is no PostgreSQL URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise InvalidValue(
            "DATABASE_URL is not a PostgreSQL URL.", hint="It looks like postgresql://user:password@host:5432/database."
        )
    user, separator, hosts = parts.netloc.rpartition("@")
    if separator and ":" in user:
        user = f"{user.partition(':')[0]}:***"
    query = "&".join(
        f"{name}=***" if name.lower() in ("password", "sslpassword") else pair
        for pair in parts.query.split("&")
        for name in [pair.partition("=")[0]]
    )
    return f"{parts.scheme}://{user}{separator}{hosts}{parts.path}{'?' if query else ''}{query}"


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
