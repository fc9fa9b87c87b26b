"""Checks that an SVG image is safe to show in any browser: it may not run code or load anything from elsewhere.

Refused are scripts, event handlers, foreign content, linked style sheets, animation of links, and every reference to
something outside of the file. The HTTP layer forbids all of it a second time (Content-Security-Policy).
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from lapel.errors import InvalidInput

__all__ = ["UnsafeSvg", "check_svg"]

_SVG: Final = "http://www.w3.org/2000/svg"
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_FORBIDDEN: Final = frozenset(
    {
        "script",
        "foreignobject",
        "iframe",
        "embed",
        "object",
        "audio",
        "video",
        "handler",
        "listener",
        "link",
        "meta",
        "base",
    }
)
_ANIMATIONS: Final = frozenset({"set", "animate", "animatetransform", "animatemotion"})
_REFERENCES: Final = frozenset(
    {"href", "src", "action", "formaction", "base", "srcset", "data", "ping", "poster", "background"}
)
_DATA_IMAGE: Final = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*").fullmatch
# A string ends at its quote or, unfinished, with its line; a comment that does not end reaches to the end. No group is
# possessive: before 3.11.5, Python matches some of those wrongly (https://github.com/python/cpython/issues/106052).
_COMMENT_OR_STRING: Final = re.compile(r"""/\*[^*]*+(?:\*(?!/)[^*]*+)*(?:\*/)?|"[^"\n\r\f]*+"?|'[^'\n\r\f]*+'?""")
# A url() has to be complete, a fragment of plain signs: without quotes, a browser takes what looks like a comment or a
# string in it as a part of the URL (CSS Syntax 3, 4.3.6), and would read all that follows differently.
_BAD_STYLE: Final = re.compile(
    r"\\|@import|expression\s*\(|behavior\s*:|-moz-binding|javascript:|image-set\s*\(|cross-fade\s*\(|\bsrc\s*\("
    r"""|url\s*+\((?!\s*+(["']?)#[^"'()*\s]*+\1\s*+\))""",
    re.IGNORECASE | re.ASCII,
)


class UnsafeSvg(InvalidInput):
    """This SVG image could run a program or fetch something in a reader's browser."""

    code = "unsafe_svg"
    hint = "Export it as a plain SVG, without scripts, links and fonts or images from elsewhere."


def check_svg(content: bytes) -> None:
    """Return if the image is safe.

    Args:
        content: an SVG image without a DOCTYPE, as `lapel.credentials.baking.svg.strip` writes it.

    Raises:
        UnsafeSvg: the image is not safe; the message names the first reason.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.LxmlError, ValueError) as error:
        raise UnsafeSvg("This SVG image is not well-formed XML.") from error
    for node in root.getroottree().iter():
        if isinstance(node, etree._Comment):
            continue
        if not isinstance(node.tag, str):
            raise UnsafeSvg("This SVG image holds a processing instruction or an entity.")
        _check_element(node)
    sibling = root.getprevious()
    while sibling is not None:
        if not isinstance(sibling, etree._Comment):
            raise UnsafeSvg("This SVG image holds a processing instruction.")
        sibling = sibling.getprevious()


def _check_element(element: etree._Element) -> None:
    name = etree.QName(element)
    local = name.localname.lower()
    if local in _FORBIDDEN or name.namespace == _XHTML:
        raise UnsafeSvg(f"This SVG image holds a {name.localname[:40]!r} element.")
    if local == "style" and name.namespace in (_SVG, None):
        if any(isinstance(child.tag, str) for child in element):
            raise UnsafeSvg("A style in this SVG image holds an element.")
        _check_style("".join(str(part) for part in element.itertext()))
    for attribute, value in element.attrib.items():
        _check_attribute(local, etree.QName(attribute).localname.lower(), str(value))


def _check_attribute(element: str, name: str, value: str) -> None:
    if name.startswith("on"):
        raise UnsafeSvg(f"This SVG image has an event handler ({name[:40]}).")
    if name in _REFERENCES:
        target = value.strip()
        if target and not target.startswith("#") and not (element in ("image", "feimage") and _DATA_IMAGE(target)):
            raise UnsafeSvg("This SVG image refers to something outside of it.")
    if name == "attributename" and element in _ANIMATIONS:
        animated = value.strip().lower().rpartition(":")[2]
        if animated in _REFERENCES or animated.startswith("on"):
            raise UnsafeSvg("This SVG image animates a link or an event handler.")
    # The values of presentation attributes (fill, mask, filter, …) are CSS, too.
    if name == "style" or "(" in value:
        _check_style(value)


def _check_style(text: str) -> None:
    if _BAD_STYLE.search(_with_empty_comments(text)):
        raise UnsafeSvg("A style in this SVG image refers to something outside of it.")


def _with_empty_comments(text: str) -> str:
    """Return the style with its comments empty, in linear time. Comment signs within quotes do not count."""
    return _COMMENT_OR_STRING.sub(lambda match: match[0] if match[0][0] in "\"'" else "/**/", text)
