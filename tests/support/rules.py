"""The conformance kit's rules, run one by one where a fixture cannot: on a database that is laid out in another way."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from typing import Any

from lapel.database.conformance import suite
from lapel.database.conformance.opening import connected
from lapel.database.interface import DatabaseSettings

__all__ = ["KINDS", "broken_rules"]


def broken_rules(
    database: Callable[[], AbstractContextManager[DatabaseSettings]], *, of: Collection[str]
) -> dict[str, Exception]:
    """The rules that do not hold on PostgreSQL databases like these, and why.

    Args:
        database: makes one for each rule, migrated.
        of: which of `KINDS`.
    """
    broken = {}
    for name, rule in (rule for kind in of for rule in _rules(kind)):
        with database() as settings:
            try:
                asyncio.run(_run(rule, settings))
            except Exception as error:
                broken[name] = error
    return broken


async def _run(rule: Callable[..., Any], settings: DatabaseSettings) -> None:
    async with connected("postgresql", settings) as database:
        await rule(database=database)


def _rules(kind: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Those of a class that take a database and nothing else."""
    rules = getattr(suite, kind)
    for name in vars(rules):
        rule = getattr(rules(), name)
        if name.startswith("test_") and list(inspect.signature(rule).parameters) == ["database"]:
            yield f"{kind}.{name}", rule


KINDS = tuple(kind for kind in suite.__all__ if any(_rules(kind)))
"""The kit's classes."""
