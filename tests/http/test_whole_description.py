"""Schemathesis over the whole description: its examples, each edge of each schema, made-up requests, and chains.

The short form is `test_generated_requests.py`. One of its checks does not fit: `positive_data_acceptance` wants a
success for whatever has the right shape, and no shape says which achievements there are, what a role may grant, or
that a cursor is one of ours.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import unregister
from schemathesis.schemas import BaseSchema

from lapel.domain.access import Role
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.faults.site import Site
from tests.http.conftest import ids_of, things
from tests.http.live_server import AnyServer
from tests.http.test_generated_requests import point_at_what_is_there
from tests.support.described_answers import DESCRIPTION, check_answer, operations
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.long

EXAMPLES, CHAINS = 100, 100
OF_ISSUERS = ("get_issuer", "change_issuer", "delete_issuer", "list_issuer_achievements", "list_keys", "rotate_key")
OF_ACHIEVEMENTS = ("get_achievement", "change_achievement", "delete_achievement", "get_achievement_image")
CHANGES_OF_CREDENTIALS = ("erase_credential", "change_credential_status", "replace_credential")
OF_CREDENTIALS = (*CHANGES_OF_CREDENTIALS, "get_credential", "get_credential_image", "v2_assertion")
PLACES = (ParameterLocation.PATH, ParameterLocation.BODY, ParameterLocation.HEADER)
FOLLOWING: dict[str, tuple[str, tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "create_issuer": ("issuer_id", (*OF_ISSUERS, "issuer_did", "v2_issuer"), {"issuer": ("create_achievement",)}),
    "create_achievement": (
        "achievement_id",
        (*OF_ACHIEVEMENTS, "v2_badge_class"),
        {"achievement": ("issue_credential",)},
    ),
    "issue_credential": ("credential_id", OF_CREDENTIALS, {}),
    "create_api_key": ("key_id", ("get_api_key", "revoke_api_key"), {}),
    "create_organisation": ("organisation_id", ("get_organisation", "change_organisation"), {}),
}
"""What can be asked of what was made: under which parameter, which operations, and whose bodies name it."""


@schemathesis.check
def as_described(_: object, response: Response, case: schemathesis.Case[Any]) -> None:
    """What any test over HTTP holds an answer to; that of a method that is not there is `unsupported_method`'s."""
    if response.status_code == 405:
        return
    sent = httpx.Request(case.method, response.request.url or "")
    headers = [(name, value) for name, values in response.headers.items() for value in values]
    whole = {name: value for name, value in headers if name != "content-encoding"}
    check_answer(httpx.Response(response.status_code, headers=whole, content=response.content, request=sent))


@dataclass(frozen=True)
class OwnedServer(AnyServer):
    """One whose owner's key we have."""

    owner: str


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedServer]:
    """A server; on PostgreSQL one of two processes."""
    folder = tmp_path_factory.mktemp("site")
    if request.param == "sqlite":
        yield from serving(Site(folder))
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    dsn = postgres.create_database()
    try:
        yield from serving(Site(folder, dsn=dsn, LAPEL_WORKERS="2"))
    finally:
        postgres.drop_database(dsn)


def serving(site: Site) -> Iterator[OwnedServer]:
    async def owner() -> str:
        async with site.application() as application:
            keys = application.services.api_keys
            return (await keys.create_for(DEFAULT_ORGANISATION_ID, name="operator", role=Role.OWNER)).secret

    key = asyncio.run(owner())
    with site.server():
        yield OwnedServer(f"http://127.0.0.1:{site.port}", key)


def linked() -> dict[str, Any]:
    """The description, with what can be asked of what was made. Ids are addresses, which OpenAPI's links cannot cut."""
    description = copy.deepcopy(DESCRIPTION)
    for method, path, operation in operations().values():
        if (said := FOLLOWING.get(operation["operationId"])) is None:
            continue
        parameter, targets, bodies = said
        links: dict[str, Any] = {
            target: {"operationId": target, "parameters": {parameter: "$response.body#/id#regex:([^/:]+)$"}}
            for target in targets
        }
        links |= {
            target: {"operationId": target, "requestBody": {member: "$response.body#/id"}}
            for member, those in bodies.items()
            for target in those
        }
        description["paths"][path][method.lower()]["responses"]["201"]["links"] = links
    return description


@contextmanager
def real_things_named(known: dict[str, str], server: AnyServer) -> Iterator[None]:
    """Put real ids in place of most of those made up; let nothing be fetched from others, and most keys be new."""
    count = itertools.count(1)

    def before_call(_: object, case: schemathesis.Case[Any], _kwargs: object) -> None:
        number, meta = next(count), case.meta
        assert meta is not None
        good_path, good_body, good_head = (not meta.is_negative_at(place) for place in PLACES)
        made_up = meta.phase.name.value != "stateful"  # there, ids are those of what was made before
        if made_up and good_path and number % 4 and case.method != "DELETE":
            case.path_parameters.update({name: ids_of(case.path, known)[name] for name in case.path_parameters})
        if case.path == "/v3/credentials/batch" and case.query and not good_body:
            case.query["atomic"] = "true"  # otherwise what is wrong with an item is said in a list, under 200
        if isinstance(case.body, dict) and ((made_up and good_body and number % 5) or case.path == "/v3/verify"):
            point_at_what_is_there(case.body, known, server)
        if good_head and number % 5 and case.headers and "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = f"key-{number}"

    schemathesis.hook(before_call)
    try:
        yield
    finally:
        unregister(before_call)


def run(server: AnyServer, key: str | None, *phases: str, operation: str | None = None) -> int:
    """Run these phases, for one operation or for all: how many requests that were. Fails where a check does."""
    config = SchemathesisConfig.from_dict(
        {
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "headers": {} if key is None else {"Authorization": f"Bearer {key}"},
            "generation": {
                "max-examples": CHAINS if "stateful" in phases else EXAMPLES,
                "database": "none",
                "no-shrink": True,
            },
            "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
            "checks": {
                "positive_data_acceptance": {"enabled": False},
                "negative_data_rejection": {"expected-statuses": ["4xx"]},
            },
        }
    )
    schema: BaseSchema = schemathesis.openapi.from_dict(linked(), config=config)
    schema.config.update(base_url=server.url, request_timeout=120)
    if operation is not None:
        schema = schema.include(operation_id=operation)
    asked, failures = 0, []
    with real_things_named(things(server), server):
        for event in from_schema(schema).execute():
            assert not isinstance(event, events.FatalError | events.NonFatalError), event
            if isinstance(event, events.ScenarioFinished):
                asked += len(event.recorder.interactions)
                failures += list(failures_of(event.recorder))
    assert not failures, "\n\n".join(failures[:10])
    return asked


def failures_of(recorder: ScenarioRecorder) -> Iterator[str]:
    for name, found in recorder.checks.items():
        for check in found:
            if check.failure_info is not None:
                asked = recorder.interactions[name]
                answer = asked.response
                said = "nothing" if answer is None else f"{answer.status_code} {answer.content[:600]!r}"
                sent = f"{asked.request.method} {asked.request.uri} {asked.request.body!r:.600}"
                yield f"{check.name}: {check.failure_info.failure.message}\n  {sent}\n  -> {said}"


@pytest.mark.parametrize("authenticated", [True, False], ids=["owner", "nobody"])
@pytest.mark.parametrize("operation", operations())
def test_an_operation_answers_as_described(server: OwnedServer, operation: str, *, authenticated: bool) -> None:
    key = server.owner if authenticated else None

    assert run(server, key, "examples", "coverage", "fuzzing", operation=operation) > 5


def test_what_was_made_is_there_and_what_was_deleted_is_not(server: OwnedServer) -> None:
    assert run(server, server.owner, "stateful") > CHAINS
