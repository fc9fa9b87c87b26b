"""Identifiers: time-ordered within a process, whatever its clock does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID

import pytest

from lapel.domain.identifiers import IdSource, parse_id, uuid7_source
from lapel.errors import InvalidInput

START = 1_750_000_000_000


def source(milliseconds: Callable[[], int]) -> IdSource:
    return uuid7_source(milliseconds=milliseconds)


def moment(identifier: UUID) -> int:
    return identifier.int >> 80


def test_one_is_a_version_7_uuid_of_its_moment() -> None:
    new = source(lambda: START)()

    assert (new.version, new.variant) == (7, "specified in RFC 4122")
    assert moment(new) == START


def test_they_grow_within_one_millisecond_however_many_there_are() -> None:
    new_id = source(lambda: START)

    made = [new_id() for _ in range(20_000)]

    assert made == sorted(set(made))
    assert {identifier.version for identifier in made} == {7}
    assert moment(made[-1]) - START < 20, "the counter holds thousands before it borrows from the future"


@pytest.mark.parametrize("noise", [b"\x00", b"\xff"])
def test_they_grow_whatever_the_randomness_is(noise: bytes) -> None:
    ticks = iter(range(START, START + 20_000))
    new_id = uuid7_source(milliseconds=lambda: next(ticks) // 3, randomness=lambda count: noise * count)

    made = [new_id() for _ in range(20_000)]

    assert made == sorted(set(made))


def test_they_grow_while_the_clock_steps_back() -> None:
    times = [START, START + 5, START - 3_600_000, START - 1, START + 5, START + 6]
    ticks = iter(times)

    new_id = source(lambda: next(ticks))
    made = [new_id() for _ in times]

    assert made == sorted(set(made))
    assert [moment(identifier) - START for identifier in made] == [0, 5, 5, 5, 5, 6]


def test_they_grow_in_each_thread_and_none_is_given_twice() -> None:
    new_id = uuid7_source()
    made: list[list[UUID]] = [[] for _ in range(4)]

    def make(into: list[UUID]) -> None:
        into += [new_id() for _ in range(5_000)]

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(mine == sorted(mine) for mine in made)
    assert len({identifier for mine in made for identifier in mine}) == 20_000


def test_their_text_is_in_the_same_order() -> None:
    new_id = uuid7_source()

    made = [new_id() for _ in range(5_000)]

    assert [str(identifier) for identifier in made] == sorted(map(str, made))


@pytest.mark.parametrize("text", ["", "018f3c1a", "{018f3c1a-0000-7000-8000-000000000000}", "urn:uuid:", "x" * 36])
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_id(text)
