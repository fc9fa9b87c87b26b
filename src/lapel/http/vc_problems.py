"""Problem documents of the VC API routes: 400, with the types of VC Data Model 2.0 (7.2) and VCALM."""

from __future__ import annotations

from typing import cast

from litestar.connection import Request
from litestar.datastructures import State
from litestar.types import ExceptionHandlersMap
from msgspec import json

from lapel.errors import FieldError, InvalidInput, LapelError, Unsupported
from lapel.http.answer import NO_STORE, Answer
from lapel.http.problems import PROBLEM_MEDIA_TYPE, request_id
from lapel.services.vc_api.problem_details import details_of_error, type_of_error

__all__ = ["VC_PROBLEMS"]


def _on_invalid_request(request: Request[object, object, State], error: LapelError) -> Answer:
    """Answer with the first problem as the document, and with all of them in ``problemDetails``."""
    errors = error.errors or (FieldError("", error.detail, error.code),)
    details = [details_of_error(each) for each in errors]
    problem = {
        "type": type_of_error(errors[0].code),
        "title": details[0]["title"],
        "status": 400,
        "detail": error.detail,
        "code": error.code,
        **({"hint": error.hint} if error.hint else {}),
        "problemDetails": details,
        "errors": details,
        "request_id": request_id(request.scope),
    }
    headers = {"access-control-allow-origin": "*", **NO_STORE}
    return Answer(json.encode(problem), status_code=400, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


VC_PROBLEMS = cast("ExceptionHandlersMap", {InvalidInput: _on_invalid_request, Unsupported: _on_invalid_request})
"""Exception handlers of these routes, for invalid requests. All other errors are answered as everywhere."""
