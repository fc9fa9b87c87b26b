"""Metrics of operations, connections and the cache, and a log entry for each slow operation."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import accumulate

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lapel.database.errors import OperationContext

__all__ = ["MEASUREMENTS", "CacheCounts", "DatabaseMetrics"]

MEASUREMENTS: Mapping[str, str] = {
    "up": "1 while the database answers",
    "pool_connections": "Open connections",
    "pool_idle": "Connections that nobody uses",
    "pool_in_use": "Connections in use",
    "pool_waiting": "Tasks that wait for a connection, or for their turn to write",
    "pool_maximum": "Connections at most",
    "open_transactions": "Transactions that are open",
    "reconnections_total": "How often the database was lost and found again",
    "cache_hits_total": "Reads that were answered from memory",
    "cache_misses_total": "Reads that memory had no answer to",
    "cache_evictions_total": "Entities in memory that had to make room",
    "cache_invalidations_total": "Changes that memory was told of",
    "cache_drops_total": "How often memory had to forget everything",
    "cache_entries": "Entities in memory",
    "cache_bytes": "Memory that they take, about",
    "group_units_total": "Units of work that were handed to a COMMIT shared by many",
    "group_commits_total": "COMMITs shared by many; units by commits is the size of a group",
    "group_commit_seconds_total": "Time that shared COMMITs took",
}
"""Further metrics and their help texts, each exported as ``lapel_database_…``. A module may leave some out."""

_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BUCKETS = (*map(str, _BOUNDS), "+Inf")
_log = structlog.get_logger("lapel.database")


@dataclass(slots=True)
class CacheCounts:
    """Counters of a cache of entities: see ``cache_…`` in `MEASUREMENTS`."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    invalidations: int = 0
    drops: int = 0
    entries: int = 0
    bytes: int = 0

    def measurements(self) -> Mapping[str, float]:
        """Return the counters by their names in `MEASUREMENTS`."""
        names = {name: f"cache_{name}" for name in ("entries", "bytes")}
        return {names.get(name, f"cache_{name}_total"): count for name, count in asdict(self).items()}


@dataclass(slots=True)
class _Operation:
    buckets: list[int] = field(default_factory=lambda: [0] * len(_BUCKETS))
    seconds: float = 0.0
    failures: int = 0
    slow: int = 0


class DatabaseMetrics(Collector):
    """A Prometheus collector of latencies per operation (``aggregate.verb``) and the database's other metrics.

    Args:
        slow_seconds: operations that take longer are slow; 0 for no limit.
        measure: returns the current values of the metrics in `MEASUREMENTS`.

    Attributes:
        transactions: the number of transactions by outcome (``committed``, ``rolled_back``, ``unknown``), and of
            retries (``retried``).
        cache: the counters of the cache of entities.
    """

    def __init__(self, *, slow_seconds: float = 0.5, measure: Callable[[], Mapping[str, float]] = dict) -> None:
        self.transactions: Counter[str] = Counter(committed=0, rolled_back=0, retried=0, unknown=0)
        self.cache = CacheCounts()
        self._operations: dict[str, _Operation] = {}
        self._slow_seconds = slow_seconds or float("inf")
        self._measure = measure

    def observe(self, operation: str, seconds: float, *, failed: bool = False) -> bool:
        """Record one run of `operation`.

        Returns:
            Whether it was slow and should be passed to `log_slow`.
        """
        if (record := self._operations.get(operation)) is None:
            record = self._operations[operation] = _Operation()
        record.buckets[bisect_left(_BOUNDS, seconds)] += 1
        record.seconds += seconds
        if failed:
            record.failures += 1
        if seconds > self._slow_seconds:
            record.slow += 1
            return True
        return False

    def log_slow(self, context: OperationContext, seconds: float, *, sql: str) -> None:
        """Log a slow operation.

        Args:
            sql: the statement, without values.
        """
        _log.warning(
            "slow database operation",
            operation=context.operation,
            entity=context.entity,
            id=context.entity_id,
            transaction=context.transaction_id,
            attempt=context.attempt,
            seconds=round(seconds, 4),
            sql=" ".join(sql.split()),
        )

    def count(self, operation: str) -> int:
        """Return the number of runs of `operation`."""
        return sum(self._operations.get(operation, _Operation()).buckets)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics in Prometheus' form."""
        by = ["operation"]
        latency = HistogramMetricFamily(_named("operation_seconds"), "Time of one database operation", labels=by)
        failures = CounterMetricFamily(_named("operation_failures"), "Database operations that failed", labels=by)
        slow = CounterMetricFamily(_named("slow_operations"), "Database operations that took too long", labels=by)
        for name, record in sorted(self._operations.items()):
            buckets = list(zip(_BUCKETS, accumulate(record.buckets), strict=True))
            latency.add_metric([name], buckets=buckets, sum_value=record.seconds)
            failures.add_metric([name], record.failures)
            slow.add_metric([name], record.slow)
        transactions = CounterMetricFamily(_named("transactions"), "Transactions by how they ended", labels=["outcome"])
        for outcome, count in self.transactions.items():
            transactions.add_metric([outcome], count)
        yield from (latency, failures, slow, transactions)
        for name, value in self._measure().items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(_named(name), MEASUREMENTS.get(name, "What this database's module counts"), value=value)


def _named(measurement: str) -> str:
    return f"lapel_database_{measurement}"
