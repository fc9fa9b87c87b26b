"""How the server itself is."""

from __future__ import annotations

from lapel.client.asking import Ask, shape, text
from lapel.client.operation import Operation
from lapel.services.answers import Liveness, ReadinessReport

__all__ = ["ServingOperations"]


class ServingOperations:
    """What whoever operates a server asks."""

    @Operation
    def live(self) -> Ask[Liveness]:
        """The process answers."""
        return Ask("GET", "/health/live", shape(Liveness))

    @Operation
    def ready(self) -> Ask[ReadinessReport]:
        """Whether the database answers, told at once: a 503 is an answer here, and not waited for."""
        return Ask("GET", "/health/ready", shape(ReadinessReport), also=(503,))

    @Operation
    def metrics(self) -> Ask[str]:
        """Counters in the Prometheus text format."""
        return Ask("GET", "/metrics", text)
