"""What the server has done, counted for whoever watches it, where it is stored or by a line above a method."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import wraps
from itertools import accumulate
from typing import Any, Final, Generic, ParamSpec, TypeVar

from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.services.metrics.families import Family, Sample

__all__ = ["ISSUED", "SIGNED", "STATUS_CHANGES", "Durations", "Outcomes", "counted"]

Given = ParamSpec("Given")
Result = TypeVar("Result")
Thing = TypeVar("Thing")
_Method = Callable[Given, Coroutine[Any, Any, Result]]

_BOUNDS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_EVERYTHING: Final[list[Callable[[], Family]]] = []


class Outcomes(Generic[Thing]):
    """How often each outcome was reached in this process.

    Args:
        tell: the outcome that something is.
        label: what the outcomes tell apart.
        known: those that are shown before they are reached, too.
    """

    def __init__(self, name: str, text: str, tell: Callable[[Thing], str], *, label: str, known: Iterable[str]) -> None:
        self._tell = tell
        self._name = name
        self._text = text
        self._label = label
        self._counts = Counter(dict.fromkeys(known, 0))
        _EVERYTHING.append(self.family)

    def one(self, method: _Method[Given, Thing]) -> _Method[Given, Thing]:
        """For a method: counts what it returns; what it raises is counted elsewhere."""

        @wraps(method)
        async def counting(*given: Given.args, **named: Given.kwargs) -> Thing:
            found = await method(*given, **named)
            self._counts[self._tell(found)] += 1
            return found

        return counting

    def count(self, things: Iterable[Thing]) -> None:
        """Count what was done."""
        self._counts.update(map(self._tell, things))

    def family(self) -> Family:
        """As a metric."""
        total = f"{self._name}_total"
        samples = [Sample(total, {self._label: outcome}, float(count)) for outcome, count in self._counts.items()]
        return Family(self._name, "counter", self._text, samples)


class Durations:
    """How long something took in this process, each time that it succeeded.

    Args:
        bounds: of the buckets, in seconds.
        label: what tells one thing that took its time from another; without it there is one thing.
    """

    def __init__(self, name: str, text: str, *, bounds: Sequence[float] = _BOUNDS, label: str = "") -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._label = label
        self._counts: dict[str, list[float]] = {}  # of each bucket, and last the seconds
        if not label:
            self.took(0.0, 0)  # shown before it has happened
        _EVERYTHING.append(self.family)

    def took(self, seconds: float, times: int = 1, *, of: str = "") -> None:
        """It took so long, so many times."""
        counts = self._counts.get(of)
        if counts is None:
            counts = self._counts[of] = [0.0] * (len(self._bounds) + 2)
        counts[bisect_left(self._bounds, seconds)] += times
        counts[-1] += times * seconds

    def family(self) -> Family:
        """As a metric."""
        samples: list[Sample] = []
        bounds = (*map(str, self._bounds), "+Inf")
        for of, (*counts, seconds) in self._counts.items():
            labels = {self._label: of} if self._label else {}
            running = list(accumulate(counts))
            samples += [
                Sample(f"{self._name}_bucket", {**labels, "le": bound}, count)
                for bound, count in zip(bounds, running, strict=True)
            ]
            samples += [
                Sample(f"{self._name}_count", labels, running[-1]),
                Sample(f"{self._name}_sum", labels, seconds),
            ]
        return Family(self._name, "histogram", self._text, samples)


ISSUED: Final = Outcomes[Credential](
    "lapel_credentials_issued",
    "Credentials issued.",
    lambda credential: credential.format,
    label="format",
    known=CredentialFormat,
)
STATUS_CHANGES: Final = Outcomes[Credential](
    "lapel_status_changes",
    "Credentials revoked, suspended or reinstated.",
    lambda credential: credential.status,
    label="status",
    known=CredentialStatus,
)
SIGNED: Final = Durations("lapel_signing_seconds", "Time from a document to its signed form.")


def counted() -> list[Family]:
    """All of it."""
    return [family() for family in _EVERYTHING]
