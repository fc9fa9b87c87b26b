"""Run a command's work with the configured application: read the settings, start it, and close it afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from lapel.cli.loading import loading
from lapel.domain.access import acting_for
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

if TYPE_CHECKING:  # importing it takes seconds, which `lapel --help` need not
    from lapel.bootstrap import Application

__all__ = ["OPERATOR", "PATIENCE_SECONDS", "run"]

Result = TypeVar("Result")

OPERATOR = acting_for(DEFAULT_ORGANISATION_ID)

PATIENCE_SECONDS: Final = 2.0
"""How long a command tries to reach the database."""


def run(work: Callable[[Application], Awaitable[Result]], *, make: bool = False) -> Result:
    """Start the application that the environment configures, and return what `work` returns for it.

    Args:
        make: create an embedded database if there is none, and migrate an older one.

    Raises:
        MissingDatabase: there is none, and `make` is not set.
        WrongSchema: it needs `lapel db migrate`.
    """
    with loading():
        import asyncio

        from lapel.bootstrap import build, start_settings

    async def run_work() -> Result:
        async with build(start_settings(min_log_level="warning"), make=make, patience=PATIENCE_SECONDS) as application:
            await application.start(make=make)
            return await work(application)

    return asyncio.run(run_work())
