"""Tricks with comments, functions and animations that would make an SVG image ask elsewhere or run something."""

from __future__ import annotations

import pytest

from lapel.services.svg_safety import UnsafeSvg, check_svg


def svg(inner: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg">{inner}</svg>'.encode()


@pytest.mark.parametrize(
    "inner",
    [
        '<style>a{content:"/*"} b{background:url(http://evil.example/t)} c{content:"*/"}</style>',
        "<style>a{content:'/*'} b{background:url(http://evil.example/t)} c{content:'*/'}</style>",
        '<style>a{content:"/*\nb{background:url(http://evil.example/t)} c{content:*/}</style>',
        '<style>a{background:src("http://evil.example/t")}</style>',
        '<style>a{background:cross-fade("http://evil.example/t", red)}</style>',
        "<style>a{background:u/**/rl(#x)} b{background:url(/*x*/http://evil.example/t)}</style>",
        '<set attributeName="onload" to="alert(1)"/>',
        "<style>a{fill:url(#a/*);mask:url(http://evil.example/t)}</style>",
        '<rect style="fill:url(#a/*);mask:url(http://evil.example/t)/**/)"/>',
        '<rect fill="url(#a/*) url(http://evil.example/t)"/>',
        """<style>a{fill:url(#'b) } c{content:'/*'} d{fill:url(http://evil.example/t)}</style>""",
        "<rect fill='url(\u00a0#a)'/>",
        "<style><style>a{fill:red}</style></style>",
        '<animate attributeName=" xlink:OnClick " to="alert(1)"/>',
    ],
)
def test_it_is_refused(inner: str) -> None:
    with pytest.raises(UnsafeSvg):
        check_svg(svg(inner))


@pytest.mark.parametrize(
    "inner",
    [
        "<style>/* see url(http://school.example) */ a{fill:url(#g)} /* it's red</style>",
        '<style>a{content:"/* no comment */"; fill:red}</style>',
        "<style>/**/*/*url(https://elsewhere.example/)*/</style>",
        """<style>a{fill:url( '#a-b_x5F_1.2' ); mask:URL("#c") /* it's */}</style>""",
        '<rect fill="url(#a) none" filter="drop-shadow(1px 1px red)"/>',
        '<set attributeName="fill" to="red"/>',
    ],
)
def test_it_is_harmless(inner: str) -> None:
    check_svg(svg(inner))
