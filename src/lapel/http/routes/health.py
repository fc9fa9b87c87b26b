"""``/health``: whether the process runs, and whether it is ready to work."""

from __future__ import annotations

import asyncio

import structlog
from litestar import get
from msgspec import json

from lapel.domain.json import JsonObject
from lapel.http.answer import NO_STORE, Answer, json_answer
from lapel.http.call import Call
from lapel.http.exact_path import exact_path
from lapel.http.openapi.operations import answer_of, answers
from lapel.http.services import Readiness
from lapel.services.answers import Liveness, ReadinessReport

__all__ = ["HANDLERS"]

_log = structlog.get_logger("lapel.http")

_TAGS = ["Operation"]
_PROBE_SECONDS = 1.5  # longer than the database's own limit of a second, which reports more about what is wrong
_ENDING = "The server is shutting down; it still answers the requests that it has received."
_AWAY = "The database does not answer; the server's log says why."


@get("/health/live", summary="The process answers", tags=_TAGS, responses=answers(Liveness, usual=False))
async def live() -> Answer:
    return json_answer({"status": "live"})


@get(
    "/health/ready",
    summary="The database answers: a real query, made for this request",
    tags=_TAGS,
    guards=[exact_path],
    responses=answers(ReadinessReport, usual=False)
    | answers(answer_of(ReadinessReport, status=503, description="It does not."), usual=False),
)
async def ready(request: Call) -> Answer:
    if not request.services.serving_state.accepts_requests:
        return _not_ready({"status": "ending", "detail": _ENDING})
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            readiness = await request.services.readiness()
    except TimeoutError:
        readiness = Readiness(ok=False, report={"ok": False, "detail": "The database did not answer in time."})
    report = readiness.report
    if not readiness.ok:
        # Anybody may ask, and the details name the database's host and user: they are only logged.
        _log.warning("database_not_ready", detail=report.get("detail"))
        report = {**report, "detail": _AWAY}
        if isinstance(reconnection := report.get("reconnection"), dict):
            report["reconnection"] = {name: value for name, value in reconnection.items() if name != "lastError"}
    parts: JsonObject = {"database": report}
    if readiness.signer is not None:
        parts = {**parts, "signer": {"ok": readiness.signer}}
    if not readiness.ok:
        return _not_ready({"status": "unavailable", **parts})
    return json_answer({"status": "ready", **parts})


def _not_ready(document: JsonObject) -> Answer:
    return Answer(
        json.encode(document),
        status_code=503,
        media_type="application/json",
        headers={**NO_STORE, "retry-after": "1"},
    )


HANDLERS = (live, ready)
"""The routes of this file."""
