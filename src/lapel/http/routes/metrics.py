"""``GET /metrics``."""

from __future__ import annotations

import hmac

from litestar import get

from lapel.errors import Unauthorized
from lapel.http.answer import NO_STORE, Answer
from lapel.http.call import Call
from lapel.http.exact_path import exact_path
from lapel.http.openapi.operations import answer_of, answers

__all__ = ["metrics"]


@get(
    "/metrics",
    summary="Counters in the Prometheus text format",
    tags=["Operation"],
    guards=[exact_path],
    responses=answers(answer_of(str, media_type="text/plain"), usual=False, also=(401,)),
)
async def metrics(request: Call) -> Answer:
    key = request.services.metrics_key
    authorization = request.header(b"authorization") or ""
    if key is not None and not hmac.compare_digest(f"Bearer {key}".encode(), authorization.encode()):
        raise Unauthorized(
            "The metrics are for whoever has their key.", hint="Send the value of LAPEL_METRICS_KEY as a bearer token."
        )
    return Answer(
        await request.services.metrics_exporter.text(),
        media_type="text/plain; version=0.0.4",
        headers=NO_STORE,
    )
