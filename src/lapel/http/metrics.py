"""The metrics of requests, and everything that ``GET /metrics`` shows, for one process or for all that serve."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import Protocol

from prometheus_client import REGISTRY, Gauge, disable_created_metrics, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from lapel.services.metrics.counting import DurationHistogram, all_families
from lapel.services.metrics.families import Family, Sample, decode, encode, label_per_process, sum_families

__all__ = ["InProgress", "MetricsExporter", "Peers", "observe_request"]

# They double the number of series and add no information.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types for this function

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_requests: Counter[tuple[str, str, int]] = Counter()
_durations = DurationHistogram(
    "lapel_http_request_duration_seconds", "Time from request to answer.", bounds=_SECONDS, label="route"
)
_BUILD = Family(
    "lapel_build",
    "info",
    "The version that runs.",
    [Sample("lapel_build_info", {"version": version("lapel"), "python": platform.python_version()}, 1.0)],
)


class InProgress:
    """The number of requests that are being answered. A plain number, as below: the library's take a lock each time."""

    now = 0


Gauge("lapel_http_requests_in_progress", "HTTP requests that are being answered.").set_function(lambda: InProgress.now)


def observe_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request. `route` is the template (``/v3/issuers/{issuer_id}``), so that labels stay few."""
    _requests[method if method in _METHODS else "other", route, status] += 1
    _durations.observe(seconds, of=route)


def _request_counts() -> Family:
    samples = [
        Sample("lapel_http_requests_total", {"method": method, "route": route, "status": str(status)}, float(count))
        for (method, route, status), count in _requests.items()
    ]
    return Family("lapel_http_requests", "counter", "HTTP requests answered.", samples)


class Peers(Protocol):
    """The processes that serve together with this one."""

    number: int
    """The number of this process among them."""

    async def measured(self, own: bytes) -> list[bytes]:
        """Return the metrics of each process, including those that have ended.

        Each is encoded by `lapel.services.metrics.families.encode`.

        Args:
            own: the metrics of this process.
        """
        ...


class MetricsExporter:
    """Collects all metrics, and writes them in the Prometheus text format.

    Args:
        database: collects how often each operation of the database ran and how long it took.
        peers: the processes that serve together with this one; None if there are no others.
    """

    def __init__(self, database: Collector, *, peers: Peers | None) -> None:
        self._database = database
        self._peers = peers

    def own(self) -> bytes:
        """Return the metrics of this process, encoded for its peers."""
        return encode(self._families())

    async def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        if self._peers is None:
            families = self._families()
        else:
            families = sum_families(map(decode, await self._peers.measured(self.own())))
        return generate_latest(_FamilyRegistry(families))

    def _families(self) -> list[Family]:
        # The database is not in the global registry: one process may run several servers, each with its own database.
        library = [*_families_of(REGISTRY.collect()), *_families_of(self._database.collect())]
        families = [*library, _request_counts(), *all_families(), _BUILD]
        return families if self._peers is None else label_per_process(families, self._peers.number)


class _FamilyRegistry(CollectorRegistry):
    """Adapts families to the registry that `generate_latest` reads."""

    def __init__(self, families: Sequence[Family]) -> None:
        super().__init__(auto_describe=False)
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.help, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric


def _families_of(metrics: Iterable[Metric]) -> list[Family]:
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            [Sample(sample.name, sample.labels, float(sample.value)) for sample in metric.samples],
        )
        for metric in metrics
    ]
