"""What ``lapel db status`` shows: the database as this command finds it, and what a running server has counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from lapel.domain.json import JsonObject

__all__ = ["OperationCount", "ServerCounts", "address_of", "as_text", "ask_server"]

_ASKED_SECONDS = 1.0
_LARGEST = 10_000_000  # bytes
_PREFIX = "lapel_database_"
_HISTOGRAM = f"{_PREFIX}operation_seconds"
_COLUMNS = {"count": 6, "total s": 7, "mean ms": 7, "p95 ms": 7, "p99 ms": 7, "failed": 6, "slow": 5}
_NAME_WIDTH = 80 - sum(_COLUMNS.values()) - len(_COLUMNS)
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


@dataclass(slots=True, kw_only=True)
class OperationCount:
    """One operation of the database since the server started. Times are in seconds."""

    operation: str
    count: int = 0
    total: float = 0.0
    failed: int = 0
    slow: int = 0
    buckets: list[tuple[float, float]] = field(default_factory=list)  # (upper bound, how many up to there)

    @property
    def mean(self) -> float:
        """Seconds of one, on average."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, part: float) -> float:
        """Seconds within which that part of them ended: as near as the histogram's buckets tell."""
        wanted, low, before = part * self.count, 0.0, 0.0
        for bound, running in self.buckets:
            if running >= wanted > before:
                return low if bound == float("inf") else low + (bound - low) * (wanted - before) / (running - before)
            low, before = bound, running
        return 0.0


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """What the server at `url` has counted: operations, the longest total first, and single measurements by name."""

    url: str
    operations: Sequence[OperationCount]
    measurements: Mapping[str, float]

    def to_json(self) -> JsonObject:
        """For programs."""
        return {
            "url": self.url,
            "measurements": dict(self.measurements),
            "operations": [
                {name: value for name, value in asdict(one).items() if name != "buckets"}
                | {"mean": one.mean, "p95": one.quantile(0.95), "p99": one.quantile(0.99)}
                for one in self.operations
            ],
        }


def ask_server(host: str, port: int, *, key: str | None = None) -> ServerCounts | None:
    """What the server that listens there on this machine has counted; None where none answers.

    Args:
        key: what it wants to be shown for that.
    """
    if host in _EVERYWHERE:
        host = "127.0.0.1"
    url = address_of(host, port)
    if host != "localhost" and not _is_loopback(host):
        return None
    connection = HTTPConnection(host, port, timeout=_ASKED_SECONDS)
    try:
        connection.request("GET", "/metrics", headers={} if key is None else {"Authorization": f"Bearer {key}"})
        families = list(text_string_to_metric_families(connection.getresponse().read(_LARGEST).decode()))
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    ours = [family for family in families if family.name.startswith(_PREFIX)]
    return _counts(url, ours) if ours else None


def address_of(host: str, port: int) -> str:
    """The URL of a server that listens there."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _counts(url: str, families: Sequence[Metric]) -> ServerCounts:
    operations: dict[str, OperationCount] = {}
    measurements: dict[str, float] = {}
    for sample in (sample for family in families for sample in family.samples):
        name = sample.labels.get("operation")
        if name is None:
            # A label stands in brackets after the name: transactions_total[committed].
            labels = "".join(f"[{value}]" for value in sample.labels.values())
            measurements[sample.name.removeprefix(_PREFIX) + labels] = sample.value
            continue
        found = operations.setdefault(name, OperationCount(operation=name))
        if sample.name == f"{_HISTOGRAM}_bucket":
            found.buckets.append((float(sample.labels["le"]), sample.value))
        elif sample.name == f"{_HISTOGRAM}_count":
            found.count = int(sample.value)
        elif sample.name == f"{_HISTOGRAM}_sum":
            found.total = sample.value
        elif sample.name == f"{_PREFIX}operation_failures_total":
            found.failed = int(sample.value)
        elif sample.name == f"{_PREFIX}slow_operations_total":
            found.slow = int(sample.value)
    return ServerCounts(url, sorted(operations.values(), key=lambda one: -one.total), measurements)


def as_text(
    health: JsonObject,
    pending: Sequence[str],
    prepared: Mapping[str, datetime],
    settings: Mapping[str, str],
    server: ServerCounts | None,
    *,
    reason: str | None,
    key: str | None = None,
) -> Iterator[str]:
    """For people: lines, none of them longer than 80 characters unless a value is.

    Args:
        prepared: transactions that stand prepared, and since when.
        reason: what the driver said, where the database does not answer.
        key: whether the configured master key opens what is stored.
    """
    latency = health["latencyMs"]
    known = {
        "module": str(health["module"]),
        "state": str(health["state"]),
        "server": str(health["serverVersion"] or "unknown"),
        "latency": f"{latency:.1f} ms" if isinstance(latency, float) else "no answer",
    }
    if health["ok"]:
        known |= {"schema": str(health["revision"] or "empty"), "pending": ", ".join(pending) or "none"}
    if key is not None:
        known["master key"] = key
    if prepared:
        known["prepared"] = f"{len(prepared)}, the oldest since {min(prepared.values()):%Y-%m-%d %H:%M:%S %Z}"
    if health["detail"]:
        known["detail"] = str(health["detail"])
    if reason:
        known["reason"] = reason
    if isinstance(standby := health["standby"], dict):
        known["reads"] = "from the standby too" if standby["ok"] else f"from the primary alone: {standby['detail']}"
    known |= settings
    yield from _lines(known)
    yield ""
    if server is None:
        return
    yield f"The server at {server.url}, since it started:"
    yield from _lines({name: f"{value:,.6g}" for name, value in server.measurements.items()})
    yield ""
    yield _row("operation", _COLUMNS)
    for one in server.operations:
        times = (1000 * one.mean, 1000 * one.quantile(0.95), 1000 * one.quantile(0.99))
        counts = (_short(one.failed), _short(one.slow))
        yield _row(one.operation, (_short(one.count), _rounded(one.total), *map(_rounded, times), *counts))


def _row(name: str, values: Iterable[str]) -> str:
    """Eighty characters."""
    if len(name) > _NAME_WIDTH:
        name = f"{name[: _NAME_WIDTH - 1]}…"
    cells = (f" {value:>{width}}" for value, width in zip(values, _COLUMNS.values(), strict=True))
    return f"{name:<{_NAME_WIDTH}}{''.join(cells)}"


def _lines(values: Mapping[str, str]) -> Iterator[str]:
    width = max(map(len, values), default=0)
    return (f"{name:<{width}}  {value}" for name, value in values.items())


def _short(count: int) -> str:
    """A count in six characters at most."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size * 10:
            return f"{count / size:.0f}{unit}"
    return str(count)


def _rounded(number: float) -> str:
    """A number below a million in six characters at most."""
    return f"{number:.{2 if number < 10 else 1 if number < 1000 else 0}f}"
