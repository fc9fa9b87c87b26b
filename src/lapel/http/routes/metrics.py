"""What is counted: requests by route and status, and how long they took. ``GET /metrics`` shows it all."""

from __future__ import annotations

from functools import lru_cache

from litestar import get
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest

from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.openapi import answers

__all__ = ["metrics", "observe_request"]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_requests = Counter("lapel_http_requests_total", "HTTP requests answered.", ("method", "route", "status"))
_duration = Histogram(
    "lapel_http_request_duration_seconds", "Time from request to answer.", ("route",), buckets=_SECONDS
)


@lru_cache(maxsize=1024)
def _counter(method: str, route: str, status: int) -> Counter:
    return _requests.labels(method, route, str(status))


@lru_cache(maxsize=256)
def _histogram(route: str) -> Histogram:
    return _duration.labels(route)


def observe_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request. `route` is the template (``/v3/issuers/{issuer_id}``), so that labels stay few."""
    _counter(method if method in _METHODS else "other", route, status).inc()
    _histogram(route).observe(seconds)


@get(
    "/metrics",
    summary="Counters in the Prometheus text format",
    tags=["Operation"],
    responses=answers(str, media_type="text/plain", usual=False),
    sync_to_thread=False,
)
def metrics(request: Call) -> Answer:
    own = CollectorRegistry(auto_describe=False)  # one server's database is not another's in the same process
    own.register(request.services.database_metrics)
    return Answer(
        generate_latest(REGISTRY) + generate_latest(own),
        media_type="text/plain; version=0.0.4",
        headers={"cache-control": "no-store"},
    )
