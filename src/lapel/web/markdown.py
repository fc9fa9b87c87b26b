"""Markdown of strangers (OB 3.0, Markdown; CommonMark) as HTML that loads nothing, in bounded time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from lapel.web.links import mail_link, web_link

__all__ = ["Narratives"]

_MAX_LENGTH: Final = 10_000
"""Characters of one text."""
_MAX_TOTAL_LENGTH: Final = 20_000
"""Characters of all texts of a page, and of all links in a text: one that is defined once can be used many times."""
_MAX_SIGNS: Final = 2_000
"""Signs of all texts of a page that may be markup. Letters cost next to nothing, each sign up to 60 microseconds."""
_sign: Final = re.compile(r"[!-/:-@[-`{-~\n]")
_MAX_DEPTH: Final = 12
"""Lists and quotes within each other. The parser leaves out what is deeper, and needs as much longer for each line."""
_ABOVE: Final = 2
"""The level of the page's heading above a text."""


class Narratives:
    """Renders the texts of one page. Texts that are too long, too deep or too much together are shown as written."""

    def __init__(self) -> None:
        self._left = _MAX_TOTAL_LENGTH
        self._signs_left = _MAX_SIGNS

    def shown(self, text: str) -> Markup:
        """Return the text as HTML: no HTML or image of its own, links to http, https and mailto, headings from h3."""
        if len(text) <= min(self._left, _MAX_LENGTH) and (signs := len(_sign.findall(text))) <= self._signs_left:
            self._left -= len(text)
            self._signs_left -= signs
            tokens = _parser.parse(text)
            if _is_small(tokens):
                _fit_headings(tokens)
                return Markup(_parser.renderer.render(tokens, _parser.options, {}))  # noqa: S704  # all of it is escaped
        return Markup('<p class="text">{}</p>').format(text)


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  # the library's name
        return web_link(url) is not None or mail_link(url) is not None


class _Renderer(RendererHTML):
    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Return the alternative text: nothing may be loaded from elsewhere."""
        return str(escape(self.renderInlineAsText(tokens[idx].children or [], options, env)))

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Return the tag, marked as written by somebody else than the owner of the page. No words: its address."""
        tokens[idx].attrSet("rel", "nofollow ugc noopener")
        inside = takewhile(lambda token: token.type != "link_close", tokens[idx:])
        words = "" if any(token.content.strip() for token in inside) else str(tokens[idx].attrGet("href"))
        return f"{self.renderToken(tokens, idx, options, env)}{escape(words)}"


# Lines stay lines, as in a text without any markup.
_parser = _Parser("commonmark", {"html": False, "breaks": True, "maxNesting": _MAX_DEPTH}, renderer_cls=_Renderer)


def _is_small(tokens: Iterable[Token]) -> bool:
    """Return whether the parser has dropped nothing, and the links are not many times as long as the text."""
    linked = 0
    for token in tokens:
        if token.nesting == 1 and token.level + 1 >= _MAX_DEPTH:
            return False
        linked += sum(len(str(value)) for child in token.children or () for value in child.attrs.values())
    return linked <= _MAX_TOTAL_LENGTH


def _fit_headings(tokens: Iterable[Token]) -> None:
    """Put the headings below the page's own, without skipping a level."""
    level = _ABOVE
    for token in tokens:
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + _ABOVE, level + 1, 6)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"
