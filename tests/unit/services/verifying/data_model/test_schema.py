"""The check ``schema``: against 1EdTech's own JSON Schema, and, as a whole, against our table of what it says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lapel.services.verifying import Outcome
from lapel.services.verifying.data_model.kinds import kind_problems
from lapel.services.verifying.data_model.schema import schema_problems
from tests.unit.services.verifying.test_endorsements import endorsement
from tests.unit.services.verifying.world import World, failed, outcome, with_outcome

EXTENSIONS = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"
SCHEMAS = "https://purl.imsglobal.org/spec/ob/v3p0/schema"
KNOWN = [
    f"{SCHEMAS}/json/ob_v3p0_achievementcredential_schema.json",
    f"{SCHEMAS}/json-ld/ob_v3p0_anyachievementcredential_schema.json",
]


def naming(world: World, *ids: str, kind: str = "1EdTechJsonSchemaValidator2019", **changes: Any) -> dict[str, Any]:
    """A badge that names these schemas."""
    badge = world.badge(credentialSchema=[{"id": name, "type": kind} for name in ids], **changes)
    badge["@context"].append(EXTENSIONS)
    return badge


@pytest.mark.parametrize("schema", KNOWN)
async def test_a_badge_that_conforms_to_the_schema_it_names_passes(world: World, schema: str) -> None:
    report = await world.verify(world.sign(naming(world, schema)))

    assert report.valid is True
    assert outcome(report, "schema") == ("pass", None)


async def test_a_badge_that_does_not_conform_fails_schema(world: World) -> None:
    badge = naming(world, KNOWN[0])
    badge["credentialSubject"]["achievement"]["achievementType"] = "Trophy"

    report = await world.verify(world.sign(badge))

    assert failed(report) == [("schema", "schema_mismatch")]
    [check] = [check for check in report.checks if check.code == "schema"]
    assert check.detail == "/credentialSubject/achievement/achievementType must be an achievement type"


async def test_a_token_is_held_to_its_schema_too(world: World) -> None:
    badge = naming(world, KNOWN[0], id="https://school.example/7")
    badge["credentialSubject"] |= {"id": "did:example:ada", "result": [{"type": ["Result"], "status": "Won"}]}

    assert failed(await world.verify(world.token(badge))) == [("schema", "schema_mismatch")]


async def test_somebodys_own_schema_is_not_loaded(world: World) -> None:
    report = await world.verify(world.sign(naming(world, "https://school.example/schema", KNOWN[0])))

    assert report.valid is True
    assert with_outcome(report, Outcome.WARN) == [("schema", "schema_unknown")]
    assert "https://school.example/schema" not in world.web.asked


async def test_another_kind_of_schema_is_not_looked_at(world: World) -> None:
    badge = naming(world, "https://school.example/schema", kind="JsonSchema")

    assert outcome(await world.verify(world.sign(badge)), "schema") == ("skip", "not_checked")


async def test_the_schema_of_open_badges_is_looked_at_whoever_is_to_do_it(world: World) -> None:
    """OB 3.0, 9.1, asks this of 1EdTech's type; W3C's `JsonSchema` (VC JSON Schema) means the same."""
    badge = naming(world, KNOWN[0], kind="JsonSchema")
    assert outcome(await world.verify(world.sign(badge)), "schema") == ("pass", None)

    badge["credentialSubject"]["achievement"]["achievementType"] = "Trophy"
    assert failed(await world.verify(world.sign(badge))) == [("schema", "schema_mismatch")]


async def test_a_schema_is_not_overlooked_behind_others(world: World) -> None:
    badge = naming(world, KNOWN[0])
    others = [{"id": f"https://school.example/schemas/{number}", "type": "JsonSchema"} for number in range(20)]
    badge["credentialSchema"] = others + badge["credentialSchema"]
    badge["credentialSubject"]["achievement"]["achievementType"] = "Trophy"

    assert outcome(await world.verify(world.token(badge)), "schema") == ("fail", "schema_mismatch")


async def test_a_badge_that_names_no_schema_has_no_such_check(world: World) -> None:
    report = await world.verify(world.sign(world.badge()))

    assert "schema" not in [check.code for check in report.checks]


# --- the table against the published schemas ---


def rich() -> dict[str, Any]:
    """A badge with something of every class in it."""
    world = World()
    profile = {
        "id": "https://school.example/",
        "type": ["Profile"],
        "name": "The School",
        "dateOfBirth": "1990-01-31",
        "image": {"id": "https://school.example/i.png", "type": "Image", "caption": "A knight"},
        "address": {"type": ["Address"], "geo": {"type": "GeoCoordinates", "latitude": 1, "longitude": 2.5}},
        "otherIdentifier": [{"type": "IdentifierEntry", "identifier": "7", "identifierType": "ext:guild"}],
    }
    alignment = [
        {"type": ["Alignment"], "targetName": "Thinking", "targetUrl": "https://f.example/1", "targetType": "CFItem"}
    ]
    level = {"id": "urn:x:1", "type": ["RubricCriterionLevel"], "name": "Good"}
    described = {
        "id": "urn:x:2",
        "type": ["ResultDescription"],
        "name": "Grade",
        "resultType": "LetterGrade",
        "allowedValue": ["A", "B"],
        "rubricCriterionLevel": [level],
    }
    badge = world.sign(
        world.badge(
            awardedDate="2026-05-01T00:00:00Z",
            evidence=[{"type": ["Evidence"], "name": "Game 1"}],
            issuer={**profile, "parentOrg": {"id": "https://p.example/", "type": ["Profile"]}},
        )
    )
    badge["proof"] = [badge["proof"]]
    badge["termsOfUse"] = [{"type": "Terms"}]
    badge["credentialSchema"] = [{"id": KNOWN[0], "type": "1EdTechJsonSchemaValidator2019"}]
    badge["refreshService"] = {"id": "https://school.example/r", "type": "1EdTechCredentialRefresh"}
    badge["endorsement"] = [world.sign(endorsement(world))]
    badge["endorsement"][0]["proof"] = [badge["endorsement"][0]["proof"]]
    badge["endorsementJwt"] = ["e.y.J"]
    subject = badge["credentialSubject"]
    subject |= {"creditsEarned": 2.5, "result": [{"type": ["Result"], "status": "Completed"}]}
    subject["achievement"] |= {
        "achievementType": "Badge",
        "inLanguage": "en-GB",
        "alignment": alignment,
        "creator": {"id": "https://school.example/", "type": ["Profile"]},
        "related": [{"id": "urn:x:3", "type": ["Related"], "inLanguage": "de"}],
        "resultDescription": [described],
    }
    return badge


VALUES: tuple[Any, ...] = (None, True, 7, "x", [], {}, ["x"], [7], {"en": "x"}, {"en": 7})


def mutations(document: Any, *, values: int) -> Iterator[str]:
    """The document with each of its parts taken away, or exchanged for some other values; as JSON texts."""
    for number, (holder, step) in enumerate(list(places(document))):
        kept = holder[step]
        for value in islice(cycle(VALUES), number % len(VALUES), number % len(VALUES) + values):
            holder[step] = value
            yield json.dumps(document)
        if isinstance(holder, dict):
            del holder[step]
            yield json.dumps(document)
            holder["more"] = kept
            yield json.dumps(document)
            del holder["more"]
        holder[step] = kept


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in list(items):
        yield value, step
        yield from places(member)


def published(vectors: Path, name: str) -> jsonschema.Draft201909Validator:
    schema = json.loads((vectors / "schemas" / f"ob_v3p0_achievementcredential_schema.{name}.json").read_text())
    return jsonschema.Draft201909Validator(schema)


# Where the published schemas are lax by accident, or say nothing where the specification does: any text for types and
# contexts, a language map for an issuer, and dates, since JSON Schema's `format` binds nobody.
LAX = ("type", "@context", "issuer")
DATES = ("validFrom", "validUntil", "awardedDate", "created", "dateOfBirth")


def at_one_of(problem: str, names: Iterable[str]) -> bool:
    place = problem.split(" ")[0]
    return any(place.endswith(f"/{name}") or f"/{name}/" in place for name in names)


@pytest.mark.parametrize("values", [2, pytest.param(len(VALUES), marks=pytest.mark.long)])
def test_the_table_judges_as_the_published_schemas_do(vectors: Path, values: int) -> None:
    strict, lenient = published(vectors, "educredentials"), published(vectors, "json-ld.cloudnativebergen")
    badge = rich()
    assert strict.is_valid(badge)
    assert list(schema_problems(badge, "AchievementCredential")) == []
    wrong: list[object] = []
    judged = set(mutations(badge, values=values))
    for text in judged:
        changed = json.loads(text)
        problems = list(schema_problems(changed, "AchievementCredential"))
        if not problems and not lenient.is_valid(changed):
            wrong.append(("too lenient", [error.json_path for error in lenient.iter_errors(changed)]))
        if problems and lenient.is_valid(changed) and not at_one_of(problems[0], (*LAX, *DATES)):
            wrong.append(("too strict", problems))
        if problems and strict.is_valid(changed) and not at_one_of(problems[0], DATES):
            wrong.append(("stricter than the strict form", problems))
        kinds = [error.pointer for error in kind_problems(changed, "AchievementCredential")]
        if (
            kinds
            and (lenient.is_valid(changed) or strict.is_valid(changed))
            and not at_one_of(kinds[0], (*LAX, *DATES))
        ):
            wrong.append(("of a kind that a schema allows", kinds))
    assert wrong == []
    assert len(judged) > 200 * values
