"""Dates and times, as pages show them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lapel.web.pages import day_of, moment_of, with_times

DAY = '<time datetime="2026-01-31T22:30:00Z" title="2026-01-31T22:30:00Z">31 January 2026</time>'
MOMENT = '<time datetime="2026-01-31T22:30:00Z">31 January 2026, 22:30 UTC</time>'


def test_a_day_is_told_in_words_and_the_time_to_programs() -> None:
    assert day_of(datetime(2026, 1, 31, 22, 30, tzinfo=UTC)) == DAY


def test_a_moment_is_told_to_the_minute_with_its_time_zone() -> None:
    assert moment_of(datetime(2026, 1, 31, 22, 30, tzinfo=UTC)) == MOMENT


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-31T22:30:00Z",
        "2026-01-31T22:30:00",
        "2026-02-01T00:30:00.0+02:00",
        "20260131T2230Z",
        "2026-W05-6T22:30Z",
    ],
)
def test_in_a_sentence_each_time_is_told_alike_whichever_standard_writes_it(time: str) -> None:
    assert with_times(f"<i> It expired on {time}.") == f"&lt;i&gt; It expired on {MOMENT}."
    assert with_times(time, shown=day_of) == DAY


@pytest.mark.parametrize(
    "text",
    [
        "12026-01-31T22:30:00Z",
        "2026-13-31T22:30:00Z",
        "2026-01-31",
        "T1",
        "1234567T1",
        "https://school.example/keys/2026-01-31T22:30:00Z",
        "https://school.example/status?at=2026-01-31T22:30:00Z#1",
        "urn:badge:2026-01-31T22:30:00Z",
    ],
)
def test_what_is_no_time_stays_as_it_is(text: str) -> None:
    assert with_times(text) == text
