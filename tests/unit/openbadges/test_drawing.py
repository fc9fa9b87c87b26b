"""The image that stands in for a missing one."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from lapel.openbadges.drawing import draw
from lapel.services.svg_safety import check_svg

ID = UUID("018f0000-0000-7000-8000-000000000001")
OTHER = UUID("018f0000-0000-7000-8000-000000000002")


def lines(image: bytes) -> list[str]:
    return [str(node.text) for node in etree.fromstring(image).iter("{*}tspan")]


def test_the_same_achievement_always_looks_the_same() -> None:
    assert draw("Knots", ID) == draw("Knots", ID)
    assert draw("Knots", ID) != draw("Knots", OTHER)


@pytest.mark.parametrize(
    "name",
    [
        "Knots",
        "Certificate of Advanced Studies in Rope",
        "デジタルバッジ発行システム管理者研修修了証",
        "שלום עולם",
        "ก็ที่นี่",
    ],
)
def test_the_name_is_on_it_in_any_script(name: str) -> None:
    shown = "".join(lines(draw(name, ID))).replace(" ", "")
    assert shown == name.replace(" ", "")


def test_an_endless_name_is_cut() -> None:
    shown = lines(draw("word " * 2000, ID))
    assert 1 < len(shown) <= 4
    assert shown[-1].endswith("…")
    assert len(draw("a" * 10_000, ID)) < 10_000


def test_a_long_word_makes_the_letters_smaller_rather_than_being_broken() -> None:
    assert lines(draw("Intergovernmental Telecommunications", ID)) == ["Intergovernmental", "Telecommunications"]


def test_a_word_that_fits_nowhere_is_broken_with_a_hyphen() -> None:
    shown = lines(draw("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", ID))

    assert len(shown) > 1
    assert all(line.endswith("-") for line in shown[:-1])


def test_wide_letters_stay_on_the_badge() -> None:
    image = etree.fromstring(draw("W" * 60, ID))
    size = float(str(image.xpath("string(//*[local-name()='text']/@font-size)")))

    assert max(len(line) for line in lines(draw("W" * 60, ID))) * size < 370


def test_a_name_does_not_turn_the_direction_of_the_text() -> None:
    assert lines(draw("abc\u202edef", ID)) == ["abcdef"]


def test_markup_in_a_name_is_text() -> None:
    image = draw('<script>alert("&")</script>', ID)
    check_svg(image)
    assert b"<script" not in image


@given(st.text(max_size=400), st.uuids())
def test_whatever_the_name_the_image_is_sound_and_harmless(name: str, achievement: UUID) -> None:
    image = draw(name, achievement)
    check_svg(image)
    assert not re.search(rb"(href|src)=|url\((?!#)", image)
