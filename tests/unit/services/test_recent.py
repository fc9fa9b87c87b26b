"""The dict of what was put in last: bounded in number and in weight."""

from __future__ import annotations

from lapel.services.recent import Recent


def test_a_new_entry_puts_out_the_oldest() -> None:
    recent: Recent[str, int] = Recent(2)
    for key in "abac":
        recent[key] = 0

    assert list(recent) == ["a", "c"]


def test_the_weight_is_bounded_too() -> None:
    recent: Recent[int, bytes] = Recent(1_000, most_weight=160, weigh=len)
    for number in range(100):
        recent[number] = bytes(10)
    assert list(recent) == list(range(84, 100))

    recent[99] = bytes(4)
    recent[100] = bytes(6)
    assert list(recent) == list(range(84, 101)), "what is replaced weighs no more"


def test_what_is_too_heavy_is_not_kept() -> None:
    recent: Recent[int, bytes] = Recent(1_000, most_weight=160, weigh=len)
    recent[1] = bytes(5)
    recent[1] = bytes(11)

    assert not recent
