"""Somebody who asks a server all the time whether it is ready, and keeps what it said."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Readiness"]

_LONGEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Said:
    asked_at: float
    answered_at: float
    status: int


class Readiness:
    """What ``/health/ready`` at a port has said, question after question; times as `time.monotonic` has them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._said: list[_Said] = []
        self._ending = threading.Event()

    @classmethod
    @contextmanager
    def watched(cls, port: int) -> Iterator[Readiness]:
        """Ask until the block ends."""
        readiness = cls(port)
        thread = threading.Thread(target=readiness._ask, name="readiness")
        thread.start()
        try:
            yield readiness
        finally:
            readiness._ending.set()
            thread.join(2 * _LONGEST_SECONDS)

    def seconds_until(self, ready: bool, *, since: float) -> float | None:
        """How long after `since` it first said so; None if it has not yet.

        That it is ready counts only where it was asked after `since`; that it is not, from whoever was asking already.
        """
        for said in self._said:
            begun = said.asked_at if ready else said.answered_at
            if begun >= since and (said.status == 200) is ready:
                return said.answered_at - since
        return None

    def _ask(self) -> None:
        while not self._ending.wait(0.02):
            asked_at = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_LONGEST_SECONDS)
            try:
                connection.request("GET", "/health/ready")
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException):
                status = 0
            finally:
                connection.close()
            self._said.append(_Said(asked_at, time.monotonic(), status))
