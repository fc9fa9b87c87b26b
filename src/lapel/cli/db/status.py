"""The output of ``lapel db status``: the state of the database, and the counters of a running server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from lapel.domain.json import JsonObject
from lapel.errors import LapelError, Unavailable
from lapel.maintenance.copying import unfinished_copy
from lapel.maintenance.examining import Database
from lapel.maintenance.recovering import prepared_in
from lapel.maintenance.stored_keys import KeyStanding, key_standing
from lapel.services.keys.master_key import StoredMasterKey

__all__ = [
    "DatabaseState",
    "OperationCount",
    "ServerCounts",
    "address_of",
    "as_text",
    "ask_database",
    "ask_server",
]

_TIMEOUT_SECONDS = 1.0
_MAX_BYTES = 10_000_000
_PREFIX = "lapel_database_"
_HISTOGRAM = f"{_PREFIX}operation_seconds"
_COLUMNS = {"count": 6, "total s": 7, "mean ms": 7, "p95 ms": 7, "p99 ms": 7, "failed": 6, "slow": 5}
_NAME_WIDTH = 80 - sum(_COLUMNS.values()) - len(_COLUMNS)
_ALL_ADDRESSES = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseState:
    """The state of the database.

    Attributes:
        health: the result of a real query, as JSON.
        pending: the migrations that have not run.
        prepared: the names of prepared transactions, and since when each is prepared.
        key: whether the configured master key opens the stored private keys; None if the database does not answer.
        failure: why the database cannot be used.
    """

    health: JsonObject
    pending: Sequence[str] = ()
    prepared: Mapping[str, datetime] = field(default_factory=dict)
    key: KeyStanding | None = None
    failure: LapelError | None = None

    @property
    def key_error(self) -> LapelError | None:
        """What is wrong with the master key."""
        return self.key.wrong if self.key else None

    @property
    def ok(self) -> bool:
        """Whether a server can work with it."""
        return bool(self.health["ok"]) and not self.pending and self.failure is None and self.key_error is None

    def to_json(self) -> JsonObject:
        """Return the state as JSON, without the failure."""
        return {
            "database": self.health,
            "pending": list(self.pending),
            "masterKey": self.key.to_json() if self.key else None,
            "prepared": {name: since.isoformat() for name, since in self.prepared.items()},
        }


async def ask_database(database: Database, master_key: Callable[[], StoredMasterKey]) -> DatabaseState:
    """Connect to the database, ask for its state, and disconnect.

    Args:
        master_key: returns the configured master key, or raises why there is none.
    """
    try:
        await database.connect()
        health = await database.health()
        pending = (await database.migration_status()).pending
        key = await key_standing(database, master_key)
        return DatabaseState(
            health=health.to_json(),
            pending=pending,
            prepared=await prepared_in(database),
            key=key,
            failure=await unfinished_copy(database),
        )
    except Unavailable as error:
        return DatabaseState(health=(await database.health()).to_json(), failure=error)
    finally:
        await database.disconnect()


@dataclass(slots=True, kw_only=True)
class OperationCount:
    """The counters of one database operation since the server started. Times are in seconds."""

    operation: str
    count: int = 0
    total: float = 0.0
    failed: int = 0
    slow: int = 0
    buckets: list[tuple[float, float]] = field(default_factory=list)  # (upper bound, cumulative count)

    @property
    def mean(self) -> float:
        """The average time."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, fraction: float) -> float:
        """Return the time within which that fraction of the operations ended, interpolated in the histogram."""
        rank, low, before = fraction * self.count, 0.0, 0.0
        for bound, cumulative in self.buckets:
            if cumulative >= rank > before:
                return low if bound == float("inf") else low + (bound - low) * (rank - before) / (cumulative - before)
            low, before = bound, cumulative
        return 0.0


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """The counters of the server at `url`: operations, by descending total time, and other measurements by name."""

    url: str
    operations: Sequence[OperationCount]
    measurements: Mapping[str, float]

    def to_json(self) -> JsonObject:
        """Return the counters as JSON."""
        return {
            "url": self.url,
            "measurements": dict(self.measurements),
            "operations": [
                {name: value for name, value in asdict(operation).items() if name != "buckets"}
                | {"mean": operation.mean, "p95": operation.quantile(0.95), "p99": operation.quantile(0.99)}
                for operation in self.operations
            ],
        }


def ask_server(host: str, port: int, *, key: str | None = None) -> ServerCounts | None:
    """Return the counters of the server that listens there on this machine; None if none answers.

    Args:
        key: the server's LAPEL_METRICS_KEY, if it has one.
    """
    if host in _ALL_ADDRESSES:
        host = "127.0.0.1"
    url = address_of(host, port)
    if host != "localhost" and not _is_loopback(host):
        return None
    connection = HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/metrics", headers={} if key is None else {"Authorization": f"Bearer {key}"})
        families = list(text_string_to_metric_families(connection.getresponse().read(_MAX_BYTES).decode()))
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    database_families = [family for family in families if family.name.startswith(_PREFIX)]
    return _counts(url, database_families) if database_families else None


def address_of(host: str, port: int) -> str:
    """Return the URL of a server that listens there."""
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
            # A label is shown in brackets after the name: transactions_total[committed].
            labels = "".join(f"[{value}]" for value in sample.labels.values())
            measurements[sample.name.removeprefix(_PREFIX) + labels] = sample.value
            continue
        operation = operations.setdefault(name, OperationCount(operation=name))
        if sample.name == f"{_HISTOGRAM}_bucket":
            operation.buckets.append((float(sample.labels["le"]), sample.value))
        elif sample.name == f"{_HISTOGRAM}_count":
            operation.count = int(sample.value)
        elif sample.name == f"{_HISTOGRAM}_sum":
            operation.total = sample.value
        elif sample.name == f"{_PREFIX}operation_failures_total":
            operation.failed = int(sample.value)
        elif sample.name == f"{_PREFIX}slow_operations_total":
            operation.slow = int(sample.value)
    return ServerCounts(url, sorted(operations.values(), key=lambda operation: -operation.total), measurements)


def as_text(
    state: DatabaseState, settings: Mapping[str, str], server: ServerCounts | None, *, reason: str | None
) -> Iterator[str]:
    """Yield the lines for people, none longer than 80 characters unless a value is.

    Args:
        reason: the driver's message, if the database does not answer.
    """
    health = state.health
    latency = health["latencyMs"]
    facts = {
        "module": str(health["module"]),
        "state": str(health["state"]),
        "server": str(health["serverVersion"] or "unknown"),
        "latency": f"{latency:.1f} ms" if isinstance(latency, float) else "no answer",
    }
    if health["ok"]:
        facts |= {"schema": str(health["revision"] or "empty"), "pending": ", ".join(state.pending) or "none"}
    if state.key is not None:
        facts["master key"] = str(state.key)
    if state.prepared:
        oldest = min(state.prepared.values())
        facts["prepared"] = f"{len(state.prepared)}, the oldest since {oldest:%Y-%m-%d %H:%M:%S %Z}"
    if health["detail"]:
        facts["detail"] = str(health["detail"])
    if reason:
        facts["reason"] = reason
    if isinstance(standby := health["standby"], dict):
        facts["reads"] = "from the standby too" if standby["ok"] else f"from the primary alone: {standby['detail']}"
    facts |= settings
    yield from _lines(facts)
    yield ""
    if server is None:
        return
    yield f"The server at {server.url}, since it started:"
    yield from _lines({name: f"{value:,.6g}" for name, value in server.measurements.items()})
    yield ""
    yield _row("operation", _COLUMNS)
    for each in server.operations:
        times = (1000 * each.mean, 1000 * each.quantile(0.95), 1000 * each.quantile(0.99))
        counts = (_short(each.failed), _short(each.slow))
        yield _row(each.operation, (_short(each.count), _rounded(each.total), *map(_rounded, times), *counts))


def _row(name: str, values: Iterable[str]) -> str:
    """Format a row of the table, 80 characters wide."""
    if len(name) > _NAME_WIDTH:
        name = f"{name[: _NAME_WIDTH - 1]}…"
    cells = (f" {value:>{width}}" for value, width in zip(values, _COLUMNS.values(), strict=True))
    return f"{name:<{_NAME_WIDTH}}{''.join(cells)}"


def _lines(values: Mapping[str, str]) -> Iterator[str]:
    width = max(map(len, values), default=0)
    return (f"{name:<{width}}  {value}" for name, value in values.items())


def _short(count: int) -> str:
    """Format a count in at most six characters."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size * 10:
            return f"{count / size:.0f}{unit}"
    return str(count)


def _rounded(number: float) -> str:
    """Format a number below a million in at most six characters."""
    return f"{number:.{2 if number < 10 else 1 if number < 1000 else 0}f}"
