"""Requests made up from the OpenAPI description, good and bad ones: whatever is answered is in the description.

The long form, with all that schemathesis can do, is `test_whole_description.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.http.conftest import ids_of
from tests.http.live_server import ADMIN_KEY, AnyServer, LiveServer
from tests.support.described_answers import DESCRIPTION

pytestmark = pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)

FOUND = [
    found.ok() for found in schemathesis.openapi.from_dict(DESCRIPTION).get_all_operations() if isinstance(found, Ok)
]
OPERATIONS = {found.definition.raw["operationId"]: found for found in FOUND}
# Where there is nothing to get wrong, no bad request can be made up.
CASES = [
    (name, mode)
    for name, found in OPERATIONS.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or found.path_parameters or found.query or found.body
]
AS_DESCRIBED: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 5


@schemathesis.deserializer("application/vc", "application/ld+json")
def read_json(_: object, response: Response) -> object:
    return json.loads(response.content)


def point_at_what_is_there(body: dict[str, Any], known: dict[str, str], server: AnyServer) -> None:
    """Put real ids in place of made up ones, and let nothing be fetched from others."""
    for name in {"issuer", "achievement"} & body.keys():
        body[name] = known[f"{name}_id"]
    if "url" in body and "@context" not in body:
        body["url"] = f"{server.url}/v3/credentials/{known['credential_id']}"


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_whatever_is_asked_the_answer_is_as_described(
    server: LiveServer, known: dict[str, str], operation: str, mode: GenerationMode
) -> None:
    """With the administrator's key, without any, and with a wrong one."""
    checks = [*AS_DESCRIBED, negative_data_rejection] if mode is GenerationMode.NEGATIVE else AS_DESCRIBED

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        OPERATIONS[operation].as_strategy(generation_mode=mode),
        st.sampled_from([*[ADMIN_KEY] * 6, None, "wrong"]),
        st.integers(0, 3),
    )
    def request(case: schemathesis.Case[Any], key: str | None, there: int) -> None:
        if there and mode is GenerationMode.POSITIVE and case.method != "DELETE":
            for name in case.path_parameters or {}:
                case.path_parameters[name] = ids_of(case.path, known)[name]
        if isinstance(case.body, dict):
            point_at_what_is_there(case.body, known, server)
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        case.call_and_validate(base_url=server.url, headers=headers, checks=checks)

    request()
