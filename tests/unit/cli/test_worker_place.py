"""The places where processes leave what they have counted: whole, whenever one of them is killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lapel.serving.worker_place import WorkerPlaces


@pytest.fixture
def places() -> Iterator[WorkerPlaces]:
    made = WorkerPlaces(2)
    yield made
    made.close()


def test_what_was_left_last_is_read(places: WorkerPlaces) -> None:
    assert places.read(0) == b""
    places.publish(0, b"first")
    places.publish(0, b"second, and longer")
    places.publish(1, b"another's")

    assert places.read(0) == b"second, and longer"
    assert places.published(0) == 2
    assert places.read_all() == [b"second, and longer", b"another's"]


def test_while_something_is_moved_nobody_sees_half_of_it(places: WorkerPlaces) -> None:
    places.publish(0, b"counts")
    with places.moving():
        places.publish(places.gone, b"counts")
        assert places.read_all() is None
        places.publish(0, b"")

    assert places.read_all() == [b"counts"]


def test_readiness_is_kept_when_something_is_left(places: WorkerPlaces) -> None:
    places.set_ready(1, True)
    places.publish(1, b"x")

    assert places.ready(1)
    assert not places.ready(0)


def test_what_is_too_large_is_left_out(places: WorkerPlaces) -> None:
    places.publish(0, b"x" * 3_000_000)

    assert places.read(0) == b""


def test_a_process_is_asked_any_number_of_times(places: WorkerPlaces) -> None:
    for _ in range(100_000):
        places.ring(0)
