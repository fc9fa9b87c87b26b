"""Everything that ``GET /metrics`` shows: of this process, or of all that serve together."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import Protocol

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from lapel.services.counted import counted
from lapel.services.measurements import Family, Sample, added_up, decode, encode, of_process

__all__ = ["Measuring", "Peers"]

_BUILD = Family(
    "lapel_build",
    "info",
    "The version that runs.",
    [Sample("lapel_build_info", {"version": version("lapel"), "python": platform.python_version()}, 1.0)],
)


class Peers(Protocol):
    """The processes that serve together with this one."""

    number: int
    """Which one this is."""

    async def measured(self, own: bytes) -> list[bytes]:
        """What each of them has counted, and those that have ended, as `lapel.services.measurements.encode` has it.

        Args:
            own: what this one has.
        """
        ...


class Measuring:
    """What there is to measure.

    Args:
        database: tells how often each operation of the database ran and how long it took.
        peers: the processes that serve together with this one, if there are others.
    """

    def __init__(self, database: Collector, *, peers: Peers | None = None) -> None:
        self._database = database
        self._peers = peers

    def own(self) -> bytes:
        """What this process has counted, for the others."""
        return encode(self._families())

    async def text(self) -> bytes:
        """All of it, in the Prometheus text format."""
        if self._peers is None:
            families = self._families()
        else:
            families = added_up(map(decode, await self._peers.measured(self.own())))
        return generate_latest(_Shown(families))

    def _families(self) -> list[Family]:
        # One server's database is not another's in the same process, so it is not in the common registry.
        found = [*_read(REGISTRY.collect()), *_read(self._database.collect()), *counted(), _BUILD]
        return found if self._peers is None else of_process(found, self._peers.number)


class _Shown(CollectorRegistry):
    """Families, in the way that the library writes."""

    def __init__(self, families: Sequence[Family]) -> None:
        super().__init__(auto_describe=False)
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.help, family.kind)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric


def _read(metrics: Iterable[Metric]) -> list[Family]:
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            [Sample(sample.name, sample.labels, float(sample.value)) for sample in metric.samples],
        )
        for metric in metrics
    ]
