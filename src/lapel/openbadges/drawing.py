"""Draws an image for an achievement without one; the same achievement always gets the same image."""

from __future__ import annotations

import colorsys
import hashlib
import unicodedata
from typing import Final
from uuid import UUID
from xml.sax.saxutils import escape

__all__ = ["draw"]

_SIDE: Final = 512
_MAX_LINES: Final = 4
_MAX_NAME_LENGTH: Final = 300
"""How many characters of the name are used, which is more than fit."""
_WIDTH: Final = 15.0
"""The width of a line at the largest font size, in average letters."""

_WIDE: Final = frozenset("WMmw@%")
_HYPHEN: Final = "-"
_DIRECTION_MARKS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text after them, which would have no effect on the next line."""


def draw(name: str, achievement_id: UUID) -> bytes:
    """Draw an SVG badge of 512 by 512 pixels, in UTF-8: a medal with the name on it, in colours derived from the id.

    It is self-contained: no external font, image, style sheet or script.
    """
    seed = hashlib.sha256(achievement_id.bytes).digest()
    hue = int.from_bytes(seed[:2], "big") / 65536
    dark, light = _colour(hue, 0.30, 0.55), _colour(hue + 0.06, 0.48, 0.62)
    accent = _colour(hue + 0.45 + seed[2] / 2560, 0.72, 0.75)
    label = _printable(name[:_MAX_NAME_LENGTH])
    lines, size = _layout(label)
    leading = size * 1.25
    top = 268 - leading * (len(lines) - 1) / 2 + size * 0.35
    text = "".join(
        f'<tspan x="256" y="{top + leading * index:.1f}">{escape(line)}</tspan>' for index, line in enumerate(lines)
    )
    petals = 16 + seed[3] % 9
    step = 360 / petals
    scallops = "".join(
        f'<circle cx="256" cy="46" r="{686 / petals:.1f}" transform="rotate({step * index:.2f} 256 256)"/>'
        for index in range(petals)
    )
    document = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_SIDE}" height="{_SIDE}" '
        f'viewBox="0 0 {_SIDE} {_SIDE}" role="img">'
        f"<title>{escape(label)}</title>"
        f'<defs><linearGradient id="face" x1="0" y1="0" x2="1" y2="1">'
        f'<stop offset="0" stop-color="{light}"/><stop offset="1" stop-color="{dark}"/></linearGradient></defs>'
        f'<g fill="{accent}">{scallops}<circle cx="256" cy="256" r="216"/></g>'
        f'<circle cx="256" cy="256" r="200" fill="url(#face)"/>'
        f'<circle cx="256" cy="256" r="184" fill="none" stroke="#fff" stroke-opacity=".55" stroke-width="3"/>'
        f'<path d="{_star(256, 118, 26)}" fill="{accent}"/>'
        f'<text fill="#fff" font-family="system-ui, sans-serif" font-weight="600" font-size="{size:.1f}" '
        f'text-anchor="middle">{text}</text></svg>'
    )
    return document.encode()


def _colour(hue: float, lightness: float, saturation: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def _star(x: float, y: float, radius: float) -> str:
    """Return the path of a five-pointed star, which connects every second of five points on a circle."""
    # Sines and cosines are literals, so that the result is the same on every machine.
    unit = ((0, -1), (0.588, 0.809), (-0.951, -0.309), (0.951, -0.309), (-0.588, 0.809))
    points = " L".join(f"{x + radius * dx:.1f} {y + radius * dy:.1f}" for dx, dy in unit)
    return f"M{points}Z"


def _printable(name: str) -> str:
    """Return the name as XML 1.0 allows it: control characters become spaces, non-characters are removed."""
    characters = []
    for character in name:
        if unicodedata.category(character) in ("Cc", "Zl", "Zp"):
            characters.append(" ")
        elif not ("\ud800" <= character <= "\udfff" or character in "\ufffe\uffff" or character in _DIRECTION_MARKS):
            characters.append(character)
    return " ".join("".join(characters).split())


def _width(text: str) -> float:
    """Estimate the width of the text in average Latin letters: 0 for combining marks, nearly 2 for wide letters."""
    width = 0.0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        if unicodedata.east_asian_width(character) in "WF":
            width += 1.9
        elif character in _WIDE:
            width += 1.65
        elif character.isupper():
            width += 1.25
        else:
            width += 1.0
    return width


def _layout(name: str) -> tuple[list[str], float]:
    """Return the lines and the font size: the largest that fits, but preferably one that breaks no word."""
    layouts = [_wrap(name, _WIDTH * factor) for factor in (1.0, 1.25, 1.6, 2.0)]
    fitting = [layout for layout in layouts if len(layout[0]) <= _MAX_LINES]
    if fitting:
        lines = next((lines for lines, broken in fitting if not broken), fitting[0][0])
    else:
        lines = layouts[-1][0][:_MAX_LINES]
        lines[-1] = f"{_cut(lines[-1], _WIDTH * 2 - 1)[0].removesuffix(_HYPHEN)}…"
    widest = max(_width(line) for line in lines) if lines else 1.0
    return lines, min(46.0, 330 / (max(widest, 1.0) * 0.6))


def _wrap(name: str, width: float) -> tuple[list[str], bool]:
    """Return lines broken between words, or within a word that alone is too wide, and whether a word was broken.

    Breaks in scripts without capital letters do not count, because such scripts mostly have no spaces either.
    """
    lines: list[str] = []
    line, broken = "", False
    for word in name.split(" "):
        longer = f"{line} {word}" if line else word
        if _width(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while _width(line) > width and len(lines) <= _MAX_LINES:
            head, rest = _cut(line, width)
            if rest and head[-1].lower() != head[-1].upper():
                broken = True
                head, rest = _cut(line, width - _width(_HYPHEN))
                head += _HYPHEN
            lines.append(head)
            line = rest
        if len(lines) > _MAX_LINES:
            break
    return ([*lines, line] if line else lines), broken


def _cut(word: str, width: float) -> tuple[str, str]:
    """Split a word into the part that fits and the rest, never between a letter and its combining marks."""
    end, total = 0, 0.0
    while end < len(word):
        step = 1
        while end + step < len(word) and _width(word[end + step]) == 0:
            step += 1
        total += _width(word[end])
        if total > width and end:
            break
        end += step
    return word[:end], word[end:]
