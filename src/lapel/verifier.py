"""Read the settings, and verify badges without a server or a database. Imports little, so that commands start fast."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from lapel.config import Settings, load_settings
from lapel.credentials.jsonld import Contexts, GeneralPath
from lapel.domain.clock import system_clock
from lapel.fetching.caching import CachingFetcher
from lapel.fetching.lazy import LazyFetcher
from lapel.logs import configure_logging
from lapel.services.verifying import Verifying

if TYPE_CHECKING:
    from lapel.fetching.client import GuardedFetcher

__all__ = ["contexts_of", "fetcher_of", "guarded_fetcher_of", "open_verifying", "start_settings"]


def start_settings(
    environ: Mapping[str, str] | None = None, *, min_log_level: Literal["info", "warning", "error"] = "info"
) -> Settings:
    """Read the settings and set up logging by them. Every process begins here.

    Args:
        min_log_level: used if LAPEL_LOG_LEVEL is at its default; higher for commands that print a result.

    Raises:
        SettingsError: a setting is wrong.
    """
    settings = load_settings(environ)
    level = min_log_level if settings.log_level == "info" else settings.log_level
    configure_logging(level=level, form=settings.log_format)
    if settings.log_level == "info":
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each of its plug-ins
    return settings


@contextlib.asynccontextmanager
async def open_verifying(settings: Settings) -> AsyncIterator[Verifying]:
    """Open a verifier that has no server or database: everything that is not in the badge is fetched."""
    contexts = contexts_of(settings)
    async with fetcher_of(settings) as fetcher, GeneralPath(contexts) as general_path:
        yield Verifying(fetcher=fetcher, clock=system_clock, contexts=contexts, general_path=general_path)


def contexts_of(settings: Settings) -> Contexts:
    """Return the bundled JSON-LD contexts, and those of the operator's folder (LAPEL_CONTEXTS_DIR)."""
    return Contexts.bundled().with_folder(settings.contexts_dir) if settings.contexts_dir else Contexts.bundled()


def fetcher_of(settings: Settings) -> CachingFetcher:
    """Return a caching fetcher that is neither imported nor opened before its first use."""
    return CachingFetcher(LazyFetcher(partial(guarded_fetcher_of, settings)))


def guarded_fetcher_of(settings: Settings) -> GuardedFetcher:
    """Return the fetcher that checks every address and caches nothing, not opened yet."""
    from lapel.fetching.client import GuardedFetcher

    return GuardedFetcher(allow_loopback_http=settings.fetch_allow_loopback)
