"""JSON is read in one way or not at all."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.credentials.strict_json import MAX_BYTES, MAX_CONTAINERS, UnreadableJson, read_json, read_object
from lapel.errors import LapelError, TooLarge

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_plain_json_is_read_as_it_is(value: object) -> None:
    assert read_json(json.dumps(value, ensure_ascii=False)) == value
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 1}',
        b'{"b": {"a": 1, "a": 1}}',
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e400]",
        b"[-1e400]",
        b"[" + b"9" * 400 + b"]",
        b"[" + b"9" * 310 + b"]",
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b'"\xed\xa0\x80"',
        b'\xef\xbb\xbf{"a": 1}',
        b'"\xff"',
        b"{'a': 1}",
        b'{"a": 1,}',
        b'"a\nb"',
        b"",
        b"{",
        b'"never ended',
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" * 1_000_000,
    ],
)
def test_what_two_readers_could_read_differently_is_refused(text: bytes) -> None:
    with pytest.raises(UnreadableJson):
        read_json(text)


def test_half_a_surrogate_pair_in_a_text_is_refused() -> None:
    with pytest.raises(UnreadableJson):
        read_json('"\ud800"')


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_brackets_in_texts_are_no_depth() -> None:
    assert read_json(json.dumps({'a"' + "[" * 100: "{" * 100})) == {'a"' + "[" * 100: "{" * 100}


def test_the_greatest_depth_is_read() -> None:
    assert read_json(b"[" * 64 + b"]" * 64)


@pytest.mark.parametrize("empty", ["[]", "{}"])
def test_so_many_objects_and_arrays_are_read_and_no_more(empty: str) -> None:
    """Each takes a moment, and there is room for a million of them."""
    text = json.dumps("[" * MAX_CONTAINERS) + f",{empty}" * (MAX_CONTAINERS - 1)

    assert read_json(f"[{text}]")
    with pytest.raises(UnreadableJson):
        read_json(f"[{text},{empty}]")


def test_more_than_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLarge):
        read_json(b" " * (MAX_BYTES + 1))


def test_only_an_object_is_a_document() -> None:
    with pytest.raises(UnreadableJson):
        read_object("[]")


@pytest.mark.parametrize("text", ['"' + '\\"' * 900_000, '{"' * 900_000, "\\" * 1_800_000, '"' * 1_800_000])
def test_a_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    start = time.perf_counter()

    with pytest.raises(LapelError):
        read_json(text)

    assert time.perf_counter() - start < 5
