"""Requests made up from the OpenAPI description, good and bad ones: whatever is answered is in the description."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.http.live_server import ADMIN_KEY, LiveServer
from tests.support.badge_images import png
from tests.support.described_answers import DESCRIPTION

pytestmark = pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)

OPERATIONS = {
    found.ok().definition.raw["operationId"]: found.ok()
    for found in schemathesis.openapi.from_dict(DESCRIPTION).get_all_operations()
}
AS_DESCRIBED: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SHORT, LONG = 12, 400


@pytest.fixture(scope="module")
def known(server: LiveServer, credential: dict[str, Any]) -> dict[str, str]:
    """Ids of what there is, by the name of the path's parameter."""
    issuer, achievement = credential["issuer"]["id"], credential["credentialSubject"]["achievement"]["id"]
    image = server.ask("PUT", f"{achievement}/image", content=png(), headers={"content-type": "image/png"}).json()
    key = server.ask("GET", f"{issuer}/keys").json()["items"][0]["id"]
    addresses = {
        "issuer_id": issuer,
        "achievement_id": achievement,
        "credential_id": credential["id"],
        "list_id": credential["credentialStatus"]["statusListCredential"],
        "key_id": key,
        "image_id": image["image"]["id"],
    }
    return {name: address.rpartition("/")[2] for name, address in addresses.items()}


def ask(server: LiveServer, known: dict[str, str], operation: str, mode: GenerationMode, examples: int) -> None:
    """Many requests of that operation, with the administrator's key, without any, and with a wrong one."""
    checks = [*AS_DESCRIBED, negative_data_rejection] if mode is GenerationMode.NEGATIVE else AS_DESCRIBED

    @settings(
        max_examples=examples,
        derandomize=examples == SHORT,
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
    def request(case: schemathesis.Case, key: str | None, there: int) -> None:
        if there and mode is GenerationMode.POSITIVE:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = known[name]
            for name in ("issuer", "achievement") if isinstance(case.body, dict) else ():
                if name in case.body:
                    case.body[name] = known[f"{name}_id"]
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        case.call_and_validate(base_url=server.url, headers=headers, checks=checks)

    request()


@pytest.mark.parametrize("mode", GenerationMode.all())
@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_is_asked_the_answer_is_as_described(
    server: LiveServer, known: dict[str, str], operation: str, mode: GenerationMode
) -> None:
    ask(server, known, operation, mode, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("mode", GenerationMode.all())
@pytest.mark.parametrize("operation", OPERATIONS)
def test_however_often_it_is_asked(
    server: LiveServer, known: dict[str, str], operation: str, mode: GenerationMode
) -> None:
    ask(server, known, operation, mode, LONG)
