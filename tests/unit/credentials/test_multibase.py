"""Multibase: base58btc and base64url, one spelling for each value."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.credentials import multibase


@given(st.binary(max_size=80))
def test_base58_is_read_back(data: bytes) -> None:
    assert multibase.decode(multibase.base58btc(data)) == data


@given(st.binary(max_size=80))
def test_base64url_is_read_back(data: bytes) -> None:
    assert multibase.decode(multibase.base64url(data)) == data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        # The examples of the base58 encoding scheme (draft-msporny-base58-03, section 5).
        (b"Hello World!", "z2NEpo7TZRRrLZSi2U"),
        (bytes.fromhex("0000287fb4cd"), "z11233QC4"),
        (b"", "z"),
        (b"\0", "z1"),
    ],
)
def test_base58_gives_the_published_text(data: bytes, text: str) -> None:
    assert multibase.base58btc(data) == text
    assert multibase.decode(text) == data


@given(st.text("z u0OIl=+/-_1Aab\u0663", max_size=12))
def test_a_value_has_one_spelling(text: str) -> None:
    try:
        data = multibase.decode(text)
    except multibase.InvalidMultibase:
        return
    assert text in (multibase.base58btc(data), multibase.base64url(data))


@pytest.mark.parametrize("text", ["", "f00", "mAA", "z0", "zO", "z 1", "uAA==", "uA", "uAB", "u+/", "u A A"])
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(multibase.InvalidMultibase):
        multibase.decode(text)


@pytest.mark.parametrize("encode", [multibase.base58btc, multibase.base64url])
def test_the_size_is_bounded(encode: Callable[[bytes], str]) -> None:
    assert multibase.decode(encode(b"\xff" * 64), max_bytes=64) == b"\xff" * 64
    with pytest.raises(multibase.InvalidMultibase):
        multibase.decode(encode(b"\xff" * 65), max_bytes=64)


def test_long_text_is_refused_unread() -> None:
    with pytest.raises(multibase.InvalidMultibase, match="longer"):
        multibase.decode("z" + "!" * 10_000_000)


@pytest.mark.parametrize("text", ["z\ud800", "z\u00e9", "z\u0161", "z1\x00", "z?"])
def test_no_other_character_passes_for_a_digit(text: str) -> None:
    with pytest.raises(multibase.InvalidMultibase):
        multibase.decode(text)
