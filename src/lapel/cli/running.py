"""A command against the configured database: settings read, application started, work done, everything closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lapel.bootstrap import Application, build, start_settings
from lapel.domain.access import Principal, Role, Scope
from lapel.domain.identifiers import NIL_ID
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

__all__ = ["OPERATOR", "run"]

Result = TypeVar("Result")

OPERATOR = Principal(DEFAULT_ORGANISATION_ID, NIL_ID, Role.OWNER, frozenset(Scope))
"""Whoever runs a command: the one who holds the database may do everything in it."""


def run(work: Callable[[Application], Awaitable[Result]]) -> Result:
    """What `work` returns, given the application of the environment's settings, started."""

    async def inside() -> Result:
        async with build(start_settings(quiet=True)) as application:
            await application.start()
            return await work(application)

    return asyncio.run(inside())
