"""Reads N-Quads, as the standards' test data has them, into the canonical form of `lapel.credentials.rdf.nquads`."""

from __future__ import annotations

import re
from typing import Final

from lapel.credentials.rdf.nquads import InvalidTerm, Quad, iri, literal
from lapel.errors import TooLarge

__all__ = ["NQuadsSyntaxError", "parse"]

_DEFAULT_MAX_QUADS: Final = 200_000


class NQuadsSyntaxError(ValueError):
    """This is not well-formed N-Quads."""


_UCHAR = r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}"
_PN_CHARS_U = (
    "A-Za-z_:\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f"
    "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_PN_CHARS = _PN_CHARS_U + "0-9\u00b7\u0300-\u036f\u203f\u2040-"
# Possessive quantifiers: nothing to backtrack into. Not on groups: before 3.11.5, Python matches those wrongly.
_IRIREF = rf'<(?:[^\x00-\x20<>"{{}}|^`\\]|{_UCHAR})*>'
_BLANK = rf"_:[{_PN_CHARS_U}0-9][{_PN_CHARS}]*+(?:\.++[{_PN_CHARS}]++)*"
_STRING = rf'"(?:[^"\\\n\r]|\\[tbnrf"\'\\]|{_UCHAR})*"'
_SPACE = r"[ \t]*+"
_STATEMENT = re.compile(
    rf"{_SPACE}(?:(?P<subject>{_IRIREF}|{_BLANK}){_SPACE}(?P<predicate>{_IRIREF}){_SPACE}"
    rf"(?:(?P<node>{_IRIREF}|{_BLANK})|(?P<text>{_STRING})"
    rf"(?:@(?P<language>[A-Za-z]++(?:-[A-Za-z0-9]++)*)|\^\^(?P<datatype>{_IRIREF}))?)"
    rf"{_SPACE}(?P<graph>{_IRIREF}|{_BLANK})?{_SPACE}\.{_SPACE})?(?:#[^\n\r]*+)?"
)
_LINE_ENDS = re.compile(r"[\n\r]++")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_SHORT: Final = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


def parse(text: str, *, max_quads: int = _DEFAULT_MAX_QUADS) -> list[Quad]:
    """Read an N-Quads document; every term comes back in canonical form, duplicates stay.

    Args:
        text: the document. Only U+000A and U+000D end a line.
        max_quads: refuse a document with more statements than this.

    Raises:
        NQuadsSyntaxError: with the number of the line.
        TooLarge: more than ``max_quads`` statements.
    """
    quads: list[Quad] = []
    position, line, size = 0, 1, len(text)
    while position < size:
        found = _STATEMENT.match(text, position)
        end = found.end() if found else position
        if found is None or (end < size and text[end] not in "\n\r"):
            raise NQuadsSyntaxError(f"line {line} is not an N-Quads statement")
        if found["subject"]:
            if len(quads) >= max_quads:
                raise TooLarge(f"more than {max_quads} RDF statements")
            try:
                quads.append(_quad(found))
            except InvalidTerm as error:
                raise NQuadsSyntaxError(f"line {line}: {error.detail}") from error
        if end < size:
            ends = _LINE_ENDS.match(text, end)
            assert ends is not None  # text[end] is a line end
            breaks = ends[0]
            line += breaks.count("\n") + breaks.count("\r") - breaks.count("\r\n")
            end = ends.end()
        position = end
    return quads


def _quad(found: re.Match[str]) -> Quad:
    subject, predicate, node, text, language, datatype, graph = found.group(
        "subject", "predicate", "node", "text", "language", "datatype", "graph"
    )
    if node:
        object_ = _node(node)
    else:
        object_ = literal(
            _unescape(text[1:-1]), datatype=_unescape(datatype[1:-1]) if datatype else None, language=language
        )
    return _node(subject), _node(predicate), object_, _node(graph) if graph else ""


def _node(term: str) -> str:
    return iri(_unescape(term[1:-1])) if term[0] == "<" else term


def _unescape(text: str) -> str:
    return _ESCAPED.sub(_character, text) if "\\" in text else text


def _character(found: re.Match[str]) -> str:
    short: str | None = found[3]
    if short:
        return _SHORT[short]
    code = int(found[1] or found[2], 16)
    if code > 0x10FFFF:
        raise InvalidTerm("an escape names a code point beyond U+10FFFF")
    return chr(code)
