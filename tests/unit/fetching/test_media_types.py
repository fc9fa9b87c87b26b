"""Which answers were asked for, and how long they keep."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.fetching.freshness import fresh_seconds
from lapel.fetching.media_types import accepts, media_type_of


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("application/json", "application/json"),
        ("Application/LD+JSON; charset=utf-8; profile=x", "application/ld+json"),
        (None, "application/octet-stream"),
        ("", "application/octet-stream"),
        ("json", "application/octet-stream"),
        ("a/b/c", "application/octet-stream"),
        ("text/html, application/json", "application/octet-stream"),
    ],
)
def test_the_media_type_is_read_without_parameters(field: str | None, expected: str) -> None:
    assert media_type_of(field) == expected


@pytest.mark.parametrize(
    ("accept", "media_type", "expected"),
    [
        ("application/json", "application/json", True),
        ("application/json", "application/vc+ld+json", True),
        ("application/json", "text/html", False),
        ("application/ld+json", "application/json", False),
        ("application/jwt, application/json;q=0.5", "application/json", True),
        ("image/*", "image/png", True),
        ("image/*", "imagery/png", False),
        ("*/*", "text/html", True),
        ("", "application/octet-stream", False),
    ],
)
def test_what_was_asked_for_is_accepted_and_nothing_else(accept: str, media_type: str, expected: bool) -> None:
    assert accepts(accept, media_type) is expected


@pytest.mark.parametrize(
    ("cache_control", "age", "expected"),
    [
        (None, None, None),
        ("public", None, None),
        ("max-age=60", None, 60),
        ("public, MAX-AGE = 60", None, 60),
        ('max-age="60"', None, 60),
        ("max-age=60, s-maxage=10", None, 10),
        ("max-age=60", "45", 15),
        ("max-age=60", "90", 0),
        ("max-age=60", "soon", 60),
        ("max-age=60, max-age=9", None, 60),
        ("no-store", None, 0),
        ("no-cache, max-age=60", None, 0),
        ("private, max-age=60", None, 0),
        ("max-age=-1", None, None),
        ("max-age", None, None),
        ("max-age=0", None, 0),
    ],
)
def test_cache_control_says_how_long(cache_control: str | None, age: str | None, expected: int | None) -> None:
    assert fresh_seconds(cache_control=cache_control, age=age) == expected


@given(st.text(), st.text())
def test_no_cache_control_breaks_anything(cache_control: str, age: str) -> None:
    found = fresh_seconds(cache_control=cache_control, age=age)
    assert found is None or found >= 0
