"""The rules for members of OB 3.0 objects."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lapel.errors import FieldError
from lapel.openbadges import checks, shapes
from lapel.openbadges.problems import Problems

ALIGNMENT = {"targetName": "Rope", "targetUrl": "https://frame.example/1"}
DESCRIPTION = {"id": "urn:uuid:1", "name": "Grade", "resultType": "LetterGrade"}


def found(problems: Problems) -> list[FieldError]:
    return problems._found


def pointers(problems: Problems) -> list[str]:
    return [error.pointer for error in found(problems)]


def shaped(kind: Any, *items: dict[str, Any]) -> Any:
    return [msgspec.convert(item, kind) for item in items]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "/a must be there."),
        (2, "/a must be there. There is 1 more problem."),
        (3, "/a must be there. There are 2 more problems."),
    ],
)
def test_how_many_problems_there_are_beside_the_first_is_said(count: int, said: str) -> None:
    problems = Problems()
    for name in "abc"[:count]:
        problems.add(f"/{name}", "must be there")

    assert problems.error().detail == said


def test_an_alignment_is_written_with_its_type_and_nothing_that_was_not_said() -> None:
    problems = Problems()
    (written,) = checks.alignments(problems, shaped(shapes.Alignment, ALIGNMENT), "/alignment")
    assert not problems
    assert written == {"type": ["Alignment"], **ALIGNMENT}


@pytest.mark.parametrize("type_", ["Alignment", ["Alignment"], None])
def test_the_right_type_may_be_given(type_: Any) -> None:
    problems = Problems()
    checks.alignments(problems, shaped(shapes.Alignment, {**ALIGNMENT, "type": type_}), "/alignment")
    assert not problems


@pytest.mark.parametrize("type_", ["Profile", ["Alignment", "Other"], []])
def test_another_type_is_refused(type_: Any) -> None:
    problems = Problems()
    checks.alignments(problems, shaped(shapes.Alignment, {**ALIGNMENT, "type": type_}), "/alignment")
    assert pointers(problems) == ["/alignment/0/type"]


def test_identical_items_are_refused() -> None:
    problems = Problems()
    checks.alignments(problems, shaped(shapes.Alignment, ALIGNMENT, {**ALIGNMENT, "type": "Alignment"}), "/alignment")
    assert pointers(problems) == ["/alignment/1"]


def test_two_items_with_one_id_are_refused() -> None:
    problems = Problems()
    items = shaped(
        shapes.Evidence, {"id": "https://a.example/", "name": "a"}, {"id": "https://a.example/", "name": "b"}
    )
    checks.evidence(problems, items, "/evidence")
    assert pointers(problems) == ["/evidence/1/id"]


def test_several_evidences_without_an_id_may_differ_in_their_text() -> None:
    problems = Problems()
    checks.evidence(problems, shaped(shapes.Evidence, {"narrative": "a"}, {"narrative": "b"}), "/evidence")
    assert not problems


@pytest.mark.parametrize(
    "where",
    ["https://a.example/film", "urn:uuid:6a3d0f1c-0000-4000-8000-000000000001", "data:text/plain,Three%20nights"],
)
def test_evidence_may_be_anywhere(where: str) -> None:
    problems = Problems()
    (written,) = checks.evidence(problems, shaped(shapes.Evidence, {"id": where}), "/evidence")
    assert (written["id"], pointers(problems)) == (where, [])


@pytest.mark.parametrize("where", ["film", "https://", "https://ada:secret@a.example/", "data:text/plain,two words"])
def test_evidence_has_a_sound_address(where: str) -> None:
    problems = Problems()
    checks.evidence(problems, shaped(shapes.Evidence, {"id": where}), "/evidence")
    assert pointers(problems) == ["/evidence/0/id"]


LEVEL = {"id": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000003", "name": "Good"}


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({"requiredLevel": LEVEL["id"], "rubricCriterionLevel": [LEVEL]}, []),
        ({"requiredLevel": "urn:uuid:other", "rubricCriterionLevel": [LEVEL]}, ["requiredLevel"]),
        ({"requiredLevel": LEVEL["id"]}, ["requiredLevel"]),
        ({"requiredValue": "C", "allowedValue": ["D", "C"]}, []),
        ({"requiredValue": "E", "allowedValue": ["D", "C"]}, ["requiredValue"]),
        ({"requiredValue": "50", "valueMin": "0", "valueMax": "100"}, []),
        ({"requiredValue": "150", "valueMin": "0", "valueMax": "100"}, ["requiredValue"]),
    ],
)
def test_what_a_result_has_to_reach_can_be_reached(members: dict[str, Any], wrong: list[str]) -> None:
    described = {"id": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000001", "name": "Grade", "resultType": "LetterGrade"}
    problems = Problems()
    checks.result_descriptions(
        problems, shaped(shapes.ResultDescription, {**described, **members}), "/resultDescription"
    )
    assert pointers(problems) == [f"/resultDescription/0/{name}" for name in wrong]


def test_an_evidence_that_says_nothing_is_refused() -> None:
    problems = Problems()
    checks.evidence(problems, shaped(shapes.Evidence, {}), "/evidence")
    assert pointers(problems) == ["/evidence/0"]


def test_more_than_a_hundred_items_are_refused_unread() -> None:
    problems = Problems()
    checks.tags(problems, [str(number) for number in range(101)], "/tag")
    checks.evidence(problems, shaped(shapes.Evidence, *[{"narrative": "a"}] * 101), "/evidence")
    assert pointers(problems) == ["/tag", "/evidence"]


def test_problems_deep_inside_are_pointed_at() -> None:
    level = {"id": "not an iri", "name": "", "alignment": [{**ALIGNMENT, "targetUrl": "x", "targetType": "y"}]}
    item = {**DESCRIPTION, "resultType": "Mood", "allowedValue": ["a", "a"], "rubricCriterionLevel": [level]}
    problems = Problems()
    checks.result_descriptions(problems, shaped(shapes.ResultDescription, item), "/r")
    assert sorted(pointers(problems)) == [
        "/r/0/allowedValue/1",
        "/r/0/resultType",
        "/r/0/rubricCriterionLevel/0/alignment/0/targetType",
        "/r/0/rubricCriterionLevel/0/alignment/0/targetUrl",
        "/r/0/rubricCriterionLevel/0/id",
        "/r/0/rubricCriterionLevel/0/name",
    ]


def test_empty_arrays_are_left_out() -> None:
    problems = Problems()
    item = {**DESCRIPTION, "alignment": [], "allowedValue": [], "rubricCriterionLevel": []}
    (written,) = checks.result_descriptions(problems, shaped(shapes.ResultDescription, item), "/r")
    assert written == {"type": ["ResultDescription"], **DESCRIPTION}


def test_a_place_is_within_the_world() -> None:
    problems = Problems()
    place = msgspec.convert({"geo": {"latitude": 91.0, "longitude": 0.0}}, shapes.Address)
    checks.address(problems, place, "/address")
    assert pointers(problems) == ["/address/geo"]


def test_whole_numbers_are_written_whole() -> None:
    problems = Problems()
    written = checks.number_of_credits(problems, 10.0, "/creditsAvailable")
    assert (written, type(written)) == (10, int)
    assert checks.number_of_credits(problems, 2.5, "/creditsAvailable") == 2.5
    assert not problems


@pytest.mark.parametrize("value", [-1.0, 1e-9, 1e17])
def test_credits_are_a_reasonable_number(value: float) -> None:
    problems = Problems()
    checks.number_of_credits(problems, value, "/creditsAvailable")
    assert pointers(problems) == ["/creditsAvailable"]


def test_a_name_of_ten_thousand_characters_passes_and_one_more_does_not() -> None:
    problems = Problems()
    problems.text("ñ" * 10_000, "/name")
    assert not problems
    problems.text("ñ" * 10_001, "/name")
    problems.text("a" * 10_001, "/name")
    assert pointers(problems) == ["/name", "/name"]


@pytest.mark.parametrize("text", ["", "  ", "a\x00b", "\ud800", "a\x0bb", "a\x7f", "\uffff"])
def test_text_that_says_nothing_or_cannot_be_stored_is_refused(text: str) -> None:
    problems = Problems()
    problems.text(text, "/name")
    assert pointers(problems) == ["/name"]


def test_lines_and_tabs_are_text() -> None:
    problems = Problems()
    problems.text("one\n\ttwo\r\n", "/narrative")
    assert not problems
