"""What several processes of one server have counted, added up as if it were one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

__all__ = ["Family", "Sample", "added_up", "decode", "encode", "of_process"]

_OF_A_PROCESS: Final = ("process_", "python_")
"""What begins so is of one process, and told of each."""
_LEAST: Final = {"lapel_database_up"}
"""What is the case only where it is everywhere."""


class Sample(msgspec.Struct, array_like=True, frozen=True):
    """One number, by its name and labels."""

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
    """For another process."""
    return msgspec.msgpack.encode(families)


def decode(data: bytes) -> list[Family]:
    """What `encode` has made."""
    return _decode(data)


def of_process(families: Iterable[Family], worker: int) -> list[Family]:
    """The same, with a label ``worker`` where it is about a process and cannot be added up."""
    return [
        Family(
            family.name,
            family.kind,
            family.help,
            [Sample(one.name, {**one.labels, "worker": str(worker)}, one.value) for one in family.samples],
        )
        if family.name.startswith(_OF_A_PROCESS)
        else family
        for family in families
    ]


def added_up(parts: Iterable[Sequence[Family]], *, gone: bool = False) -> list[Family]:
    """The sums over all parts, in the order in which they first appear.

    Args:
        gone: of processes that have ended: only what is counted, and not what they had and were.
    """
    found: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for family in (family for part in parts for family in part):
        if gone and (family.kind not in ("counter", "histogram") or family.name.startswith(_OF_A_PROCESS)):
            continue
        found.setdefault(family.name, family)
        values = sums.setdefault(family.name, {})
        for sample in family.samples:
            key = sample.name, tuple(sample.labels.items())
            if family.name in _LEAST:
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
        for family in found.values()
    ]
