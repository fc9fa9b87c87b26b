"""Adds up the metrics of several processes of one server, as if they were one process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

__all__ = ["Family", "Sample", "decode", "encode", "label_per_process", "sum_families"]

_PER_PROCESS: Final = ("process_", "python_")
"""The prefixes of metrics that are not added up, but shown for each process."""
_MINIMUM: Final = {"lapel_database_up"}
"""Metrics of which the least value counts, instead of the sum."""


class Sample(msgspec.Struct, array_like=True, frozen=True):
    """One number, with its name and labels."""

    name: str
    labels: Mapping[str, str]
    value: float


class Family(msgspec.Struct, array_like=True, frozen=True):
    """Samples of one metric.

    Attributes:
        kind: ``counter``, ``gauge``, ``histogram``, ….
    """

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]


_decode = msgspec.msgpack.Decoder(list[Family]).decode


def encode(families: Sequence[Family]) -> bytes:
    """Encode metrics for another process."""
    return msgspec.msgpack.encode(families)


def decode(data: bytes) -> list[Family]:
    """Decode what `encode` returned."""
    return _decode(data)


def label_per_process(families: Iterable[Family], worker: int) -> list[Family]:
    """Return the metrics, with a label ``worker`` on those that are shown for each process."""
    return [
        Family(
            family.name,
            family.kind,
            family.help,
            [Sample(sample.name, {**sample.labels, "worker": str(worker)}, sample.value) for sample in family.samples],
        )
        if family.name.startswith(_PER_PROCESS)
        else family
        for family in families
    ]


def sum_families(parts: Iterable[Sequence[Family]], *, gone: bool = False) -> list[Family]:
    """Return the sums over all parts, in the order of first appearance.

    Args:
        gone: the processes have ended, so that only counters and histograms are added up, not gauges.
    """
    first: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for family in (family for part in parts for family in part):
        if gone and (family.kind not in ("counter", "histogram") or family.name.startswith(_PER_PROCESS)):
            continue
        first.setdefault(family.name, family)
        values = sums.setdefault(family.name, {})
        for sample in family.samples:
            key = sample.name, tuple(sample.labels.items())
            if family.name in _MINIMUM:
                values[key] = min(values.get(key, sample.value), sample.value)
            else:
                values[key] = values.get(key, 0.0) + sample.value
    return [
        Family(
            family.name,
            family.kind,
            family.help,
            [Sample(name, dict(labels), value) for (name, labels), value in sums[family.name].items()],
        )
        for family in first.values()
    ]
