"""Metrics of what the services do: counters of outcomes, and histograms of durations."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import wraps
from itertools import accumulate
from typing import Any, Final, Generic, ParamSpec, TypeVar

from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.services.metrics.families import Family, Sample

__all__ = ["ISSUED", "SIGNED", "STATUS_CHANGES", "DurationHistogram", "OutcomeCounter", "all_families"]

Params = ParamSpec("Params")
Result = TypeVar("Result")
_Method = Callable[Params, Coroutine[Any, Any, Result]]

_BOUNDS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_REGISTERED: Final[list[Callable[[], Family]]] = []


class OutcomeCounter(Generic[Result]):
    """Counts how often this process reached each outcome.

    Args:
        outcome_of: returns the outcome of a result.
        label: the name of the metric's label, whose values are the outcomes.
        known: the outcomes that are shown before they are reached.
    """

    def __init__(
        self, name: str, text: str, outcome_of: Callable[[Result], str], *, label: str, known: Iterable[str]
    ) -> None:
        self._outcome_of = outcome_of
        self._name = name
        self._text = text
        self._label = label
        self._counts = Counter(dict.fromkeys(known, 0))
        _REGISTERED.append(self.family)

    def counting(self, method: _Method[Params, Result]) -> _Method[Params, Result]:
        """Decorate a method, to count what it returns. What it raises is not counted."""

        @wraps(method)
        async def counted(*args: Params.args, **kwargs: Params.kwargs) -> Result:
            result = await method(*args, **kwargs)
            self._counts[self._outcome_of(result)] += 1
            return result

        return counted

    def count(self, results: Iterable[Result]) -> None:
        """Count each result."""
        self._counts.update(map(self._outcome_of, results))

    def family(self) -> Family:
        """Return the counts as a metric."""
        total = f"{self._name}_total"
        samples = [Sample(total, {self._label: outcome}, float(count)) for outcome, count in self._counts.items()]
        return Family(self._name, "counter", self._text, samples)


class DurationHistogram:
    """Counts how long something took in this process, each time that it succeeded.

    Args:
        bounds: the upper bounds of the buckets, in seconds.
        label: the name of the metric's label, if it has one.
    """

    def __init__(self, name: str, text: str, *, bounds: Sequence[float] = _BOUNDS, label: str = "") -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._label = label
        self._counts: dict[str, list[float]] = {}  # by label value: one count for each bucket, then the sum of seconds
        if not label:
            self.observe(0.0, 0)  # so that the metric is shown before the first observation
        _REGISTERED.append(self.family)

    def observe(self, seconds: float, times: int = 1, *, of: str = "") -> None:
        """Count a duration, `times` times.

        Args:
            of: the value of the label.
        """
        counts = self._counts.get(of)
        if counts is None:
            counts = self._counts[of] = [0.0] * (len(self._bounds) + 2)
        counts[bisect_left(self._bounds, seconds)] += times
        counts[-1] += times * seconds

    def family(self) -> Family:
        """Return the durations as a metric."""
        samples: list[Sample] = []
        bounds = (*map(str, self._bounds), "+Inf")
        for of, (*counts, seconds) in self._counts.items():
            labels = {self._label: of} if self._label else {}
            cumulative = list(accumulate(counts))
            samples += [
                Sample(f"{self._name}_bucket", {**labels, "le": bound}, count)
                for bound, count in zip(bounds, cumulative, strict=True)
            ]
            samples += [
                Sample(f"{self._name}_count", labels, cumulative[-1]),
                Sample(f"{self._name}_sum", labels, seconds),
            ]
        return Family(self._name, "histogram", self._text, samples)


ISSUED: Final = OutcomeCounter[Credential](
    "lapel_credentials_issued",
    "Credentials issued.",
    lambda credential: credential.format,
    label="format",
    known=CredentialFormat,
)
STATUS_CHANGES: Final = OutcomeCounter[Credential](
    "lapel_status_changes",
    "Credentials revoked, suspended or reinstated.",
    lambda credential: credential.status,
    label="status",
    known=CredentialStatus,
)
SIGNED: Final = DurationHistogram("lapel_signing_seconds", "Time from a document to its signed form.")


def all_families() -> list[Family]:
    """Return all metrics of this module's classes."""
    return [family() for family in _REGISTERED]
