"""How often each operation ran and how long it took; and a log line for the slow ones."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import structlog
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["DatabaseMetrics"]

_BOUNDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
_log = structlog.get_logger("lapel.database")


class _Operation:
    __slots__ = ("buckets", "failures", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_BOUNDS) + 1)
        self.seconds = 0.0
        self.failures = 0


class DatabaseMetrics(Collector):
    """Counts and latencies per operation (``aggregate.verb``): a Prometheus collector.

    Args:
        slow_seconds: an operation that takes longer is logged with its name; 0 turns the log off.
    """

    def __init__(self, *, slow_seconds: float = 0.5) -> None:
        self._operations: dict[str, _Operation] = {}
        self._slow_seconds = slow_seconds

    def observe(self, operation: str, seconds: float, *, failed: bool = False) -> None:
        """Count one run of `operation`."""
        record = self._operations.get(operation)
        if record is None:
            record = self._operations[operation] = _Operation()
        record.buckets[bisect_left(_BOUNDS, seconds)] += 1
        record.seconds += seconds
        if failed:
            record.failures += 1
        if seconds > self._slow_seconds > 0:
            _log.warning("slow database operation", operation=operation, seconds=round(seconds, 4))

    def count(self, operation: str) -> int:
        """How often `operation` ran."""
        record = self._operations.get(operation)
        return sum(record.buckets) if record else 0

    def collect(self) -> Iterator[Metric]:
        """The metrics in Prometheus' form."""
        latency = HistogramMetricFamily(
            "lapel_database_operation_seconds", "Time of one database operation", labels=["operation"]
        )
        failures = CounterMetricFamily(
            "lapel_database_operation_failures", "Database operations that failed", labels=["operation"]
        )
        for name, record in sorted(self._operations.items()):
            running = 0
            buckets: list[tuple[str, float]] = []
            for bound, count in zip((*_BOUNDS, float("inf")), record.buckets, strict=True):
                running += count
                buckets.append(("+Inf" if bound == float("inf") else str(bound), running))
            latency.add_metric([name], buckets=buckets, sum_value=record.seconds)
            failures.add_metric([name], record.failures)
        yield latency
        yield failures
