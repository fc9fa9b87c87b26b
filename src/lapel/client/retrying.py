"""When to send a request again, how long to wait before, and what its answer means. The I/O is left to the caller."""

from __future__ import annotations

from collections.abc import Generator
from random import SystemRandom
from typing import TypeAlias, TypeVar

import httpx

from lapel.client.failures import Unreachable, is_problem, refusal, retry_after
from lapel.client.requests import Request

__all__ = ["Outcome", "attempts"]

Result = TypeVar("Result")

Outcome: TypeAlias = "httpx.Response | httpx.TransportError | None"
"""What came of an attempt; None after a pause."""

_FIRST_PAUSE = 0.2
_MAX_PAUSE = 5.0
_MAX_ATTEMPTS = 8
_NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def attempts(request: Request[Result], *, patience: float) -> Generator[Request[Result] | float, Outcome, Result]:
    """Carry out a request: yields the request to send or the seconds to wait, receives the outcome, returns the result.

    Args:
        patience: how many seconds to wait, in total.

    Raises:
        RequestFailed: it has failed, and is not tried again.
    """
    pause = _FIRST_PAUSE
    for _ in range(_MAX_ATTEMPTS):
        outcome = yield request
        if isinstance(outcome, httpx.Response) and _is_success(outcome, request):
            return request.read(outcome)
        wait = max(_requested_pause(outcome), pause * SystemRandom().uniform(0.5, 1.0))
        if not _may_repeat(request, outcome) or wait > patience:
            break
        patience -= wait
        pause = min(pause * 2, _MAX_PAUSE)
        yield wait
    if isinstance(outcome, httpx.Response):
        raise refusal(outcome)
    raise Unreachable(f"{request.method} {request.path}: {type(outcome).__name__}: {outcome}") from outcome


def _is_success(outcome: httpx.Response, request: Request[Result]) -> bool:
    return outcome.is_success or (outcome.status_code in request.also and not is_problem(outcome))


def _requested_pause(outcome: Outcome) -> float:
    return (retry_after(outcome) or 0.0) if isinstance(outcome, httpx.Response) else 0.0


def _may_repeat(request: Request[Result], outcome: Outcome) -> bool:
    if isinstance(outcome, httpx.Response):
        # 429 is answered before anything is done. A conflict may pass if the server says how long to wait.
        is_temporary = outcome.status_code == 429 or (
            outcome.status_code in (409, 503) and retry_after(outcome) is not None
        )
        return is_temporary and (request.repeatable or outcome.status_code == 429)
    return request.repeatable or isinstance(outcome, _NEVER_ARRIVED)
