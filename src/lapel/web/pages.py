"""Render pages: with templates that escape everything, an inline style sheet, and headers that allow nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lapel.credentials.date_time import parse_iso_8601, parse_timestamp
from lapel.domain.clock import format_timestamp
from lapel.web.markdown import Narratives

__all__ = ["FORM_HEADERS", "PAGE_HEADERS", "day_of", "isolated", "moment_of", "render", "with_code", "with_times"]

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

PAGE_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Header fields of every page. They allow the style sheet by its hash, so pages need no nonce and can be cached."""

FORM_HEADERS: Mapping[str, str] = {
    name: value.replace("form-action 'none'", "form-action 'self'") for name, value in PAGE_HEADERS.items()
}
"""Header fields of a page that has a form."""

_TIME = re.compile(r"(?<![^\s(\"])([0-9W-]{7,10}T[0-9:.,Z+-]*[0-9Z])", re.ASCII)
_DIRECTION_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def day_of(time: datetime) -> Markup:
    """Mark up the day, such as 31 January 2026, which keeps the time for programs and for whoever points at it."""
    exact = format_timestamp(time)
    return Markup('<time datetime="{0}" title="{0}">{1.day} {1:%B} {1.year}</time>').format(exact, time)


def moment_of(time: datetime) -> Markup:
    """Mark up the day and the minute, such as 31 January 2026, 22:30 UTC, where it matters when a day is over."""
    exact = format_timestamp(time)
    return Markup('<time datetime="{0}">{1.day} {1:%B} {1.year}, {1:%H:%M} UTC</time>').format(exact, time)


def with_times(text: str, *, shown: Callable[[datetime], Markup] = moment_of) -> Markup:
    """Escape `text`, and mark up each date and time that is a word of it, as the standards write them, as `shown`."""

    def told(word: str) -> str:
        time = parse_iso_8601(word) or parse_timestamp(word)
        return shown(time) if time else word

    return Markup("").join(told(part) if index % 2 else part for index, part in enumerate(_TIME.split(text)))


def isolated(name: str) -> str:
    """Isolate the writing direction of `name` where HTML elements cannot do so, as in a title.

    It is put between U+2068 and U+2069 (Unicode Bidirectional Algorithm, 2.4.2), without its own direction controls, so
    that it cannot end the isolation.
    """
    return f"\u2068{_DIRECTION_CONTROLS.sub('', name)}\u2069"


def with_code(text: str) -> Markup:
    """Escape `text`, and mark up what stands between backticks as code."""
    parts = enumerate(map(escape, text.split("`")))
    return Markup("").join(Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in parts)


_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["isolated"] = isolated
_environment.filters["with_code"] = with_code
_environment.filters["with_times"] = with_times
_environment.globals["style"] = Markup(_STYLE)  # noqa: S704  # part of this package


def render(template: str, /, **values: object) -> bytes:
    """Render a template, as UTF-8."""
    return _environment.get_template(template).render(markdown=Narratives().shown, **values).encode()
