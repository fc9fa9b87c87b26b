"""The slots in which processes publish what they have counted: whole, whenever one of them is killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lapel.serving.worker_slots import WorkerSlots


@pytest.fixture
def slots() -> Iterator[WorkerSlots]:
    created = WorkerSlots(2)
    yield created
    created.close()


def test_what_was_left_last_is_read(slots: WorkerSlots) -> None:
    assert slots.read(0) == b""
    slots.publish(0, b"first")
    slots.publish(0, b"second, and longer")
    slots.publish(1, b"another's")

    assert slots.read(0) == b"second, and longer"
    assert slots.published(0) == 2
    assert slots.read_all() == [b"second, and longer", b"another's"]


def test_while_something_is_moved_nobody_sees_half_of_it(slots: WorkerSlots) -> None:
    slots.publish(0, b"counts")
    with slots.moving():
        slots.publish(slots.ended, b"counts")
        assert slots.read_all() is None
        slots.publish(0, b"")

    assert slots.read_all() == [b"counts"]


def test_readiness_is_kept_when_something_is_left(slots: WorkerSlots) -> None:
    slots.set_ready(1, True)
    slots.publish(1, b"x")

    assert slots.ready(1)
    assert not slots.ready(0)


def test_what_is_too_large_is_left_out(slots: WorkerSlots) -> None:
    slots.publish(0, b"x" * 3_000_000)

    assert slots.read(0) == b""


def test_a_process_is_asked_any_number_of_times(slots: WorkerSlots) -> None:
    for _ in range(100_000):
        slots.request(0)
