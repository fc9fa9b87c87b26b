"""Operations that monitor the server itself."""

from __future__ import annotations

from lapel.client.operation import Operation
from lapel.client.requests import Request, as_json, as_text
from lapel.services.answers import Liveness, ReadinessReport

__all__ = ["MonitoringOperations"]


class MonitoringOperations:
    """``/health`` and ``/metrics``."""

    @Operation
    def live(self) -> Request[Liveness]:
        """Check that the server process answers."""
        return Request("GET", "/health/live", as_json(Liveness))

    @Operation
    def ready(self) -> Request[ReadinessReport]:
        """Check whether the database answers. A 503 is a result here, so it is returned without further attempts."""
        return Request("GET", "/health/ready", as_json(ReadinessReport), also=(503,))

    @Operation
    def metrics(self) -> Request[str]:
        """Get the metrics in the Prometheus text format."""
        return Request("GET", "/metrics", as_text)
