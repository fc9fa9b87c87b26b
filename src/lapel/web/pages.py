"""How pages are made: templates that escape everything, one style sheet inside, headers that allow nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lapel.web.markdown import Narratives

__all__ = ["FORM_HEADERS", "PAGE_HEADERS", "day_of", "isolated", "render"]

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
"""Sent with every page. The style sheet is named by its hash, so pages need no nonce and can be cached."""

FORM_HEADERS: Mapping[str, str] = {
    name: value.replace("form-action 'none'", "form-action 'self'") for name, value in PAGE_HEADERS.items()
}
"""Sent with a page that has a form."""

_STEERING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def day_of(moment: datetime) -> str:
    """The day of `moment`, in words."""
    return f"{moment.day} {moment:%B} {moment.year}"


def isolated(name: str) -> str:
    """`name` where no element can stand around it, as in a title: its direction touches nothing beside it.

    It stands between U+2068 and U+2069 (Unicode Bidirectional Algorithm, 2.4.2); it cannot end that itself.
    """
    return f"\u2068{_STEERING.sub('', name)}\u2069"


def with_code(text: str) -> Markup:
    """`text` as markup, and what stands between backticks as code."""
    parts = map(escape, text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["isolated"] = isolated
_environment.filters["with_code"] = with_code
_environment.globals["style"] = Markup(_STYLE)  # noqa: S704  # our own file


def render(template: str, **values: object) -> bytes:
    """The page as UTF-8."""
    return _environment.get_template(template).render(markdown=Narratives().shown, **values).encode()
