"""The OpenAPI description is sound and whole, and its examples do what they promise."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from lapel.http.openapi.examples import ACHIEVEMENT, CREDENTIAL, EXAMPLES, ISSUER
from tests.http.conftest import filled
from tests.http.live_server import LiveServer
from tests.support.badge_images import png
from tests.support.described_answers import DESCRIPTION, operations

# Programs are made from these names. To change one is to break them.
OPERATION_IDS = {
    "create_assertion",
    "create_badge_class",
    "create_v2_issuer",
    "delete_achievement",
    "delete_issuer",
    "replace_credential",
    "change_statuses",
    "issue_batch",
    "revoke_api_key",
    "list_organisations",
    "list_api_keys",
    "get_organisation",
    "get_api_key",
    "current_organisation",
    "create_organisation",
    "create_api_key",
    "change_organisation",
    "change_achievement",
    "change_credential_status",
    "change_issuer",
    "change_key_state",
    "create_achievement",
    "create_issuer",
    "default_did",
    "default_jwks",
    "get_achievement",
    "get_achievement_image",
    "get_credential",
    "get_credential_image",
    "get_image",
    "get_issuer",
    "get_revocations_among",
    "get_status_list",
    "list_audit_log",
    "erase_recipient",
    "erase_credential",
    "issue_credential",
    "issue_endorsement",
    "issuer_did",
    "issuer_key",
    "list_achievements",
    "list_credentials",
    "list_issuer_achievements",
    "list_issuers",
    "list_keys",
    "live",
    "metrics",
    "put_achievement_image",
    "ready",
    "rotate_key",
    "v2_assertion",
    "v2_assertion_image",
    "v2_badge_class",
    "v2_badge_class_image",
    "v2_issuer",
    "v2_key",
    "v2_revocations",
    "vc_change_status",
    "vc_issue",
    "vc_verify_credential",
    "vc_verify_presentation",
    "verify",
}

BODIES = [
    (name, media_type, example)
    for name, (_, _, operation) in operations().items()
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
    for example in content.get("examples", {})
]
GUARDED = [name for name, (_, _, operation) in operations().items() if operation.get("security")]
# What they do to the badge that all share comes last.
BODIES.sort(key=lambda body: body[0] in ("replace_credential", "change_key_state"))
WITHOUT_A_BODY = [name for name, (method, _, _) in operations().items() if method == "GET"]


def test_the_description_is_openapi_3_1() -> None:
    validate(DESCRIPTION)


def test_operation_ids_stay_and_are_unique() -> None:
    described = [operation["operationId"] for item in DESCRIPTION["paths"].values() for operation in item.values()]

    assert sorted(described) == sorted(OPERATION_IDS)


def test_moments_are_described_as_moments() -> None:
    """But not those of others' documents, which are shown as they stand there."""
    schemas = {name: it for name, it in DESCRIPTION["components"]["schemas"].items() if name != "VerificationSubject"}
    found = {
        f"{name}.{member}": schema
        for name, shape in schemas.items()
        for member, schema in shape.get("properties", {}).items()
        if re.search(r"(At|From|Until|edDate|StartDate|EndDate)$|^(at|since|issuedOn|expires)$", member)
    }
    kinds = {place: [one.get("format") for one in it.get("anyOf", [it])] for place, it in found.items()}

    assert len(kinds) > 30
    assert not [place for place, formats in kinds.items() if "date-time" not in formats]


@pytest.mark.parametrize("name", operations())
def test_an_operation_says_all_that_a_caller_has_to_know(name: str) -> None:
    _, _, operation = operations()[name]
    content = operation.get("requestBody", {}).get("content", {})

    assert operation["summary"]
    assert operation["tags"]
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter
        bounds = parameter["schema"].keys() - {"type", "examples", "default"}
        of_the_head = parameter["in"] == "header"  # which is bounded as a whole
        assert bounds or of_the_head or parameter["schema"]["type"] == "boolean", f"{parameter} is bounded by nothing"
    if "application/json" in content:
        assert content["application/json"]["examples"], "an example in lapel.http.openapi.examples shows the body"
    if operation.get("security"):
        assert {"401", "403"} <= operation["responses"].keys()
    if "requestBody" in operation:
        assert {"400", "413", "415"} <= operation["responses"].keys()
    assert [status for status in operation["responses"] if status.startswith("2")]


def test_no_example_is_of_an_operation_that_there_is_not() -> None:
    assert EXAMPLES.keys() <= operations().keys()


def with_ids(value: object, known: dict[str, str], server: LiveServer) -> Any:
    """The example, with the ids of what there is."""
    text = json.dumps(value).replace(ISSUER, known["issuer_id"]).replace(ACHIEVEMENT, known["achievement_id"])
    example = json.loads(text.replace(CREDENTIAL, known["credential_id"]).replace("https://badges.example", server.url))
    if isinstance(example, dict) and "verifiableCredential" in example:  # one that is signed
        example["verifiableCredential"] = server.get(f"/v3/credentials/{known['credential_id']}").json()
    return example


def good_statuses(operation: dict[str, Any]) -> set[int]:
    return {int(status) for status in operation["responses"] if status.startswith("2")}


@pytest.mark.parametrize("name", WITHOUT_A_BODY)
def test_what_is_there_is_shown(server: LiveServer, owner: str, known: dict[str, str], name: str) -> None:
    method, path, operation = operations()[name]

    answer = server.ask(method, filled(path, known), key=owner)

    assert answer.status_code in good_statuses(operation), answer.text


@pytest.mark.parametrize(("name", "media_type", "example"), BODIES)
def test_an_example_of_a_body_is_taken(
    server: LiveServer, owner: str, known: dict[str, str], name: str, media_type: str, example: str
) -> None:
    method, path, operation = operations()[name]
    body = operation["requestBody"]["content"][media_type]["examples"][example]["value"]

    # What is answered is held against the description by the client that the tests use.
    answer = server.ask(method, filled(path, known), key=owner, json=with_ids(body, known, server))

    assert answer.status_code in good_statuses(operation), answer.text


@pytest.mark.parametrize("name", GUARDED)
def test_what_is_guarded_is_closed_to_others(server: LiveServer, known: dict[str, str], name: str) -> None:
    method, path, _ = operations()[name]
    image = {"content": png(), "headers": {"content-type": "image/png"}}

    answer = server.ask(method, filled(path, known), key="wrong", **(image if method == "PUT" else {}))

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
