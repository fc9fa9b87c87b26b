"""Everything that is wrong with a body is told at once; a JSON Merge Patch does what RFC 7396 says."""

from __future__ import annotations

from typing import Any

import pytest

from lapel.errors import InvalidInput
from lapel.http.body import read_body
from lapel.services.merge_patch import merge_patch
from lapel.services.requests import NewAchievement, NewCredential, NewStatus
from tests.support.work import calls_made


def wrong(body: str, wanted: type[object]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read_body(body.encode(), wanted)
    return {error.pointer: error.code for error in refused.value.errors}


def test_every_member_that_is_wrong_is_named() -> None:
    body = """{"recipient": {"type": 1, "identifiers": [{"type": "x", "identity": "y"}, {"identity": 2}]},
        "validFrom": "yesterday", "awardedDate": "2026-01-01T00:00:00Z", "format": "gif", "narative": "x",
        "evidence": {"id": "x"}, "results": [{"value": 1}, {"value": "1"}, 7], "a/b~": null}"""
    assert wrong(body, NewCredential) == {
        "/achievement": "missing",
        "/narative": "unknown_member",
        "/a~1b~0": "unknown_member",
        "/validFrom": "bad_time",
        "/format": "not_allowed",
        "/recipient/type": "invalid_type",
        "/recipient/identity": "missing",
        "/recipient/identifiers/1/type": "missing",
        "/recipient/identifiers/1/identity": "invalid_type",
        "/evidence": "invalid_type",
        "/results/0/value": "invalid_type",
        "/results/2": "invalid_type",
    }


def test_it_is_said_in_words_that_know_json_and_no_python() -> None:
    body = """{"achievementId": "x", "recipient": {"type": "email", "identity": 2}, "results": {"value": "1"}, "nme": 1,
        "valid_from": "2026-01-01T00:00:00Z", "validUntil": 3, "creditsEarned": "3", "image": true, "name": [null]}"""
    with pytest.raises(InvalidInput) as refused:
        read_body(body.encode(), NewCredential)

    assert {error.pointer: error.detail for error in refused.value.errors} == {
        "/achievement": "is missing",
        "/achievementId": "is not a known member: perhaps you mean `achievement`",
        "/nme": "is not a known member",
        "/valid_from": "is not a known member: perhaps you mean `validFrom`",
        "/recipient/identity": "must be a string, not a number",
        "/results": "must be an array, not an object",
        "/validUntil": "must be a date and time, not a number",
        "/creditsEarned": "must be a number, not a string",
        "/image": "must be a string or an object, not a boolean",
        "/name": "must be a string, not an array",
    }
    assert refused.value.detail == "/achievement is missing. There are 9 more problems."


@pytest.mark.parametrize("body", ["[]", "7", "null", '"x"'])
def test_what_is_no_object_at_all_is_one_error(body: str) -> None:
    assert wrong(body, NewStatus) == {"": "invalid_type"}


def test_at_most_a_hundred_are_named() -> None:
    tags = ", ".join(["1"] * 5_000)
    body = f'{{"name": "x", "description": "x", "criteria": {{}}, "tag": [{tags}]}}'
    assert len(wrong(body, NewAchievement)) == 100


def test_of_members_that_are_unknown_no_more_are_looked_at_than_are_named() -> None:
    body = b"{" + b",".join(b'"%x": 1' % number for number in range(20_000)) + b"}"

    def read() -> None:
        with pytest.raises(InvalidInput):
            read_body(body, NewCredential)

    assert calls_made(read) < 20_000


@pytest.mark.parametrize(
    ("evidence", "most"),
    [(b"{}, " * 45_000 + b"1", 70_000), (b'{"x": 1}, ' * 1_000 + b"1", 10_000)],
    ids=["mostly right", "wrong"],
)
def test_of_an_array_that_is_far_too_long_only_so_much_is_looked_at(evidence: bytes, most: int) -> None:
    body = b'{"achievement": "x", "recipient": {"type": "did", "identity": "did:a:b"}, "evidence": [' + evidence + b"]}"

    def read() -> None:
        with pytest.raises(InvalidInput, match="/evidence/"):
            read_body(body, NewCredential)

    read()  # what is known of a shape is looked up once
    assert calls_made(read) < most


def test_a_deep_body_is_looked_at_so_far_only() -> None:
    parents = 200
    body = '{"name": "x", "description": "x", "criteria": {}, "creator": '
    body += '{"id": "x", "parentOrg": ' * parents + '{"id": 1}' + "}" * parents + "}"
    ((pointer, code),) = wrong(body, NewAchievement).items()
    assert (pointer.startswith("/creator/parentOrg/parentOrg"), code) == (True, "invalid_type")


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result
