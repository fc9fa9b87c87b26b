"""When a request is sent again, how long to wait before, and what its answer means. Whoever does the I/O asks here."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import TypeAlias, TypeVar

import httpx

from lapel.client.asking import Ask
from lapel.client.failures import Unreachable, is_problem, refusal, retry_after

__all__ = ["Heard", "conversation"]

Result = TypeVar("Result")

Heard: TypeAlias = "httpx.Response | httpx.TransportError | None"
"""What came of a step."""

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_MOST_ATTEMPTS = 8
_NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def conversation(ask: Ask[Result], *, patience: float) -> Generator[Ask[Result] | float, Heard, Result]:
    """One request to its end: yields what to do next, is sent what came of it, and returns the result.

    Args:
        patience: how many seconds to spend on waiting, all pauses together.

    Raises:
        RequestFailed: it has failed for good.
    """
    pause = _FIRST_PAUSE
    for _ in range(_MOST_ATTEMPTS):
        heard = yield ask
        if isinstance(heard, httpx.Response) and _is_good(heard, ask):
            return ask.read(heard)
        wait = max(_asked_pause(heard), pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        if not _may_repeat(ask, heard) or wait > patience:
            break
        patience -= wait
        pause = min(pause * 2, _LONGEST_PAUSE)
        yield wait
    if isinstance(heard, httpx.Response):
        raise refusal(heard)
    raise Unreachable(f"{ask.method} {ask.path}: {type(heard).__name__}: {heard}") from heard


def _is_good(heard: httpx.Response, ask: Ask[Result]) -> bool:
    return heard.is_success or (heard.status_code in ask.also and not is_problem(heard))


def _asked_pause(heard: Heard) -> float:
    return (retry_after(heard) or 0.0) if isinstance(heard, httpx.Response) else 0.0


def _may_repeat(ask: Ask[Result], heard: Heard) -> bool:
    if isinstance(heard, httpx.Response):
        # 429 is said before anything is done. A conflict is worth waiting for where the server says how long.
        said = heard.status_code == 429 or (heard.status_code in (409, 503) and retry_after(heard) is not None)
        return said and (ask.repeatable or heard.status_code == 429)
    return ask.repeatable or isinstance(heard, _NEVER_ARRIVED)
