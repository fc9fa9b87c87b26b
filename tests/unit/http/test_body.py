"""Bodies with more in them than anything that Lapel takes."""

from __future__ import annotations

import pytest
from msgspec import Raw

from lapel.errors import TooLarge
from lapel.http.body import MAX_PARTS, read_body
from lapel.http.errors import MalformedRequest


@pytest.mark.parametrize("item", [b"1", b"{}", b"[]", b'""', rb'"\\"', rb'"\","'])
def test_a_body_of_too_many_parts_is_refused_before_they_are_made(item: bytes) -> None:
    body = b"[" + b",".join([item] * (MAX_PARTS + 1)) + b"]"

    with pytest.raises(TooLarge, match="more than 100,000 members and items"):
        read_body(body, list[Raw])


def test_what_has_no_commas_has_parts_too() -> None:
    with pytest.raises(TooLarge):
        read_body(b"[" + b",".join([b"[" * 10 + b"]" * 10] * (MAX_PARTS // 10)) + b"]", list[Raw])


def test_as_many_parts_as_are_allowed_are_read() -> None:
    assert len(read_body(b"[" + b",".join([b"1"] * MAX_PARTS) + b"]", list[int])) == MAX_PARTS


@pytest.mark.parametrize("text", [b"," * MAX_PARTS, rb"\"," * MAX_PARTS, rb"\\[{" + b"," * MAX_PARTS])
def test_commas_in_texts_are_no_parts(text: bytes) -> None:
    assert read_body(b'["' + text + b'"]', list[str])[0].count(",") == MAX_PARTS


@pytest.mark.parametrize("end", [b"", b"\\", b'"'])
def test_a_text_that_does_not_end_is_no_json(end: bytes) -> None:
    with pytest.raises(MalformedRequest):
        read_body(b'["' + b"," * MAX_PARTS + end, list[str])
