"""Changing any one value anywhere in an issued badge makes verification fail, under the code of the right check."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapel.credentials import keys
from lapel.credentials.jsonld import GeneralPath
from lapel.errors import InvalidInput
from lapel.services.verifying import Outcome, Report
from tests.unit.services.verifying.world import ISSUER, World

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path


def nodes(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every member and item, whole subtrees too."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in items:
        yield (*path, step)
        yield from nodes(member, (*path, step))


def replaced(document: Any, path: Path, value: Any) -> Any:
    result = copy.deepcopy(document)
    holder = result
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return result


def removed(document: Any, path: Path) -> Any:
    result = copy.deepcopy(document)
    holder = result
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return result


def at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def another(value: Any) -> Any:
    """A value of the same type, as near as can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x"


def failed(report: Report) -> set[str]:
    return {check.code.value for check in report.checks if check.outcome is Outcome.FAIL}


def expected_code(path: Path) -> str:
    """Which check must fail, whatever else does."""
    if path[0] == "@context":
        return "contexts"
    if path[0] == "proof":
        return {
            "type": "proof",
            "cryptosuite": "proof",
            "created": "proof",
            "proofPurpose": "proof",
            "verificationMethod": "key",
            "proofValue": "signature",
        }[str(path[1])]
    # A type that does not exist has no meaning, so there is nothing to compare with the signature.
    return "json_ld" if "type" in path else "signature"


RICH = {
    "awardedDate": "2026-05-01T00:00:00Z",
    "description": "A badge with much in it.",
    "image": {"id": "https://school.example/image.png", "type": "Image", "caption": "A knight"},
    "evidence": [
        {"id": "https://school.example/games/1", "type": ["Evidence"], "name": "Game 1", "narrative": "Nf3"},
        {"type": ["Evidence"], "name": "Game 2"},
    ],
}


def rich_badge(world: World) -> dict[str, Any]:
    badge = world.badge(**RICH)
    subject = badge["credentialSubject"]
    subject["id"] = "did:example:ada"
    subject["creditsEarned"] = 2.5
    subject["result"] = [{"type": ["Result"], "value": "A", "status": "Completed"}]
    subject["achievement"]["alignment"] = [
        {"type": ["Alignment"], "targetName": "Thinking", "targetUrl": "https://frames.example/1"}
    ]
    return badge


BADGE = rich_badge(World())
SIGNED_PATHS = list(leaves({**BADGE, "proof": World().sign(BADGE)["proof"]}))


@pytest.mark.parametrize("path", SIGNED_PATHS, ids=lambda path: "/".join(map(str, path)))
async def test_changing_one_value_fails_the_right_check(world: World, path: Path) -> None:
    signed = world.sign(rich_badge(world))
    assert (await world.verify(signed)).valid is True

    report = await world.verify(replaced(signed, path, another(at(signed, path))))

    assert report.valid is False
    assert expected_code(path) in failed(report)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("created", "2026-06-01T10:59:59Z"),
        ("created", "2026-06-01T11:00:00+00:00"),
        ("domain", "school.example"),
        ("id", "urn:uuid:8f6a3b1e-0000-4000-8000-000000000000"),
        ("expires", "2027-01-01T00:00:00Z"),
    ],
)
async def test_a_proof_that_says_something_else_fails_signature(world: World, member: str, value: str) -> None:
    signed = world.sign(rich_badge(world))

    report = await world.verify(replaced(signed, ("proof", member), value))

    assert failed(report) == {"signature"}


async def test_another_key_of_the_same_issuer_fails_signature(world: World) -> None:
    document, other = world.issuer_document(), f"{ISSUER}#other"
    key = keys.multikey(world.new_signer().public_key)
    method = {"id": other, "type": "Multikey", "controller": ISSUER, "publicKeyMultibase": key}
    world.publish_issuer(
        verificationMethod=[*document["verificationMethod"], method],
        assertionMethod=[*document["assertionMethod"], other],
    )
    signed = world.sign(rich_badge(world))

    report = await world.verify(replaced(signed, ("proof", "verificationMethod"), other))

    assert failed(report) == {"signature"}


@pytest.mark.parametrize(
    "path",
    [path for path in nodes(BADGE) if path not in (("@context", 1),)],
    ids=lambda path: "/".join(map(str, path)),
)
async def test_removing_anything_fails(world: World, path: Path) -> None:
    report = await world.verify(removed(world.sign(rich_badge(world)), path))

    assert report.valid is False


def test_each_value_exchanged_for_any_other_one_fails(world: World) -> None:
    signed = world.sign(rich_badge(world))
    paths = list(leaves(rich_badge(world)))
    values = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(), st.just([]), st.just({}))
    with asyncio.Runner() as runner:
        general_path = GeneralPath(world.contexts, seconds=30)
        world.verifying = world.new_verifying(general_path=general_path)

        @settings(max_examples=150, deadline=None)
        @given(path=st.sampled_from(paths), value=values)
        def changed(path: Path, value: Any) -> None:
            if value == at(signed, path) and type(value) is type(at(signed, path)):
                return
            report = runner.run(world.verify(replaced(signed, path, value)))
            assert report.valid is False

        changed()
        runner.run(general_path.close())


async def test_changing_any_character_of_a_token_fails(world: World) -> None:
    token = world.token(rich_badge(world))
    assert (await world.verify(token)).valid is True
    for position in range(0, len(token), 17):
        changed = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        try:
            report = await world.verify(changed)
        except InvalidInput:
            continue
        assert report.valid is False


async def test_members_in_another_order_are_the_same_badge(world: World) -> None:
    signed = world.sign(rich_badge(world))

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed(value)}
        return value

    assert (await world.verify(json.dumps(turned(signed)))).valid is True
