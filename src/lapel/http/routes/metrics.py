"""What is counted of requests, and ``GET /metrics``, which shows it with everything else (`lapel.http.measuring`)."""

from __future__ import annotations

import hmac
from functools import lru_cache

from litestar import get
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from lapel.errors import Unauthorized
from lapel.http.answer import Answer
from lapel.http.call import Call
from lapel.http.openapi.operations import answers

__all__ = ["InProgress", "metrics", "observe_request"]

# They double what is shown, and tell nothing that the others do not.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library says no types for this one

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_requests = Counter("lapel_http_requests_total", "HTTP requests answered.", ("method", "route", "status"))
_duration = Histogram(
    "lapel_http_request_duration_seconds", "Time from request to answer.", ("route",), buckets=_SECONDS
)


class InProgress:
    """How many requests are being answered: a plain number, for the library's own takes a lock each time."""

    now = 0


Gauge("lapel_http_requests_in_progress", "HTTP requests that are being answered.").set_function(lambda: InProgress.now)


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
    responses=answers(str, media_type="text/plain", usual=False, also=(401,)),
)
async def metrics(request: Call) -> Answer:
    key = request.services.metrics_key
    shown = request.header(b"authorization") or ""
    if key is not None and not hmac.compare_digest(f"Bearer {key}".encode(), shown.encode()):
        raise Unauthorized(
            "The metrics are for whoever has their key.", hint="Send the value of LAPEL_METRICS_KEY as a bearer token."
        )
    return Answer(
        await request.services.measuring.text(),
        media_type="text/plain; version=0.0.4",
        headers={"cache-control": "no-store"},
    )
