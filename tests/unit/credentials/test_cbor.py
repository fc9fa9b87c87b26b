"""CBOR of the kinds that proof values hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.credentials.cbor import InvalidCbor, decode
from tests.support.selective_disclosure import cbor

numbers = st.integers(0, 2**64 - 1)
leaves = numbers | st.binary(max_size=300)
items = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(numbers, inner), max_leaves=8)


@given(st.lists(leaves | st.lists(leaves) | st.dictionaries(numbers, leaves), max_size=6))
def test_what_was_written_is_read(value: Any) -> None:
    assert decode(cbor(value)) == value


@given(st.binary(max_size=64) | items.map(lambda value: cbor(value)[:-1]))
def test_whatever_else_there_is_is_refused_and_nothing_worse(data: bytes) -> None:
    try:
        value = decode(data)
    except InvalidCbor:
        return
    assert isinstance(value, int | bytes | list | dict)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x18",  # a number that is cut off
        b"\x1c",  # a length that is reserved
        b"\x5f\xff",  # of no known length
        b"\x42a",
        b"\x81",
        b"\x9a\xff\xff\xff\xff",
        b"\xa1\x00",
        b"\xa2\x00\x00\x00\x00",  # one key twice
        b"\xa1\x40\x00",  # a key that is no number
        b"\x20",  # a negative number
        b"\x61a",  # text
        b"\xf4",  # false
        b"\xc0\x00",  # a tag
        b"\x00\x00",  # two items
        b"\x81" * 5 + b"\x00",
    ],
)
def test_what_is_not_read_here_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidCbor):
        decode(data)
