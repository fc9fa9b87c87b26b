"""RDF quads as plain tuples of strings, and the canonical N-Quads form of each term.

Sources: RDF 1.1 N-Quads (grammar, section 4); RDF Dataset Canonicalization 1.0 (canonical form, section 5).

A quad is four strings that are already what will be written, so that a hash or an output line is a mere
concatenation and nothing is escaped twice::

    ("<https://example.org/a>", "<https://schema.org/name>", '"Ada"@en', "")
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from lapel.errors import InvalidInput, TooLarge

__all__ = ["InvalidTerm", "NQuadsSyntaxError", "Quad", "iri", "literal", "parse", "serialise", "to_line"]

Quad: TypeAlias = tuple[str, str, str, str]
"""Subject, predicate, object, graph, each in canonical form; the default graph is the empty string."""

XSD_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
DEFAULT_MAX_QUADS: Final = 200_000


class NQuadsSyntaxError(InvalidInput):
    """This is not well-formed N-Quads."""

    code = "nquads_syntax"


class InvalidTerm(InvalidInput):
    """A value cannot be written as an RDF term."""

    code = "invalid_rdf_term"


# --- writing ---

# Lone surrogates are found here too: JSON can hold them, UTF-8 cannot.
_NEEDS_CARE = re.compile(r'[\x00-\x1f"\\\x7f\ud800-\udfff\ufffe\uffff]').search
_SURROGATE = re.compile(r"[\ud800-\udfff]").search
_BAD_IRI = re.compile(r'[\x00-\x20<>"{}|^`\\\ud800-\udfff]').search
_HAS_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:").match
_LANGUAGE = re.compile("[A-Za-z]+(?:-[A-Za-z0-9]+)*").fullmatch

_ESCAPES: Final[dict[int, str]] = {code: f"\\u{code:04X}" for code in (*range(0x20), 0x7F, 0xFFFE, 0xFFFF)} | {
    ord("\b"): "\\b",
    ord("\t"): "\\t",
    ord("\n"): "\\n",
    ord("\f"): "\\f",
    ord("\r"): "\\r",
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}


def iri(value: str) -> str:
    """Write an absolute IRI as an N-Quads term.

    Raises:
        InvalidTerm: it is relative, or holds a character that no IRI may hold.
    """
    if _BAD_IRI(value) or not _HAS_SCHEME(value):
        raise InvalidTerm(f"not an absolute IRI: {value[:100]!a}")
    return f"<{value}>"


def literal(value: str, *, datatype: str | None = None, language: str | None = None) -> str:
    """Write a literal as a canonical N-Quads term: `xsd:string` is left out, a language tag is lower-cased.

    Args:
        value: the lexical form, not escaped.
        datatype: an absolute IRI without angle brackets.
        language: a language tag; then there may be no datatype.

    Raises:
        InvalidTerm: a lone surrogate, a malformed language tag or datatype, or both of them.
    """
    if _NEEDS_CARE(value):
        if _SURROGATE(value):
            raise InvalidTerm("the text holds half of a surrogate pair, which is not a character")
        value = value.translate(_ESCAPES)
    if language is not None:
        if datatype is not None or not _LANGUAGE(language):
            raise InvalidTerm(f"not a language tag on its own: {language[:100]!a}")
        return f'"{value}"@{language.lower()}'
    if datatype is None or datatype == XSD_STRING:
        return f'"{value}"'
    return f'"{value}"^^{iri(datatype)}'


def to_line(quad: Quad) -> str:
    """One canonical N-Quads line, with its line feed."""
    subject, predicate, object_, graph = quad
    if graph:
        return f"{subject} {predicate} {object_} {graph} .\n"
    return f"{subject} {predicate} {object_} .\n"


def serialise(quads: Iterable[Quad]) -> str:
    """The quads as N-Quads lines, in the order given."""
    return "".join(map(to_line, quads))


# --- reading ---

_UCHAR = r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}"
_PN_CHARS_U = (
    "A-Za-z_:\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f"
    "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_PN_CHARS = _PN_CHARS_U + "0-9\u00b7\u0300-\u036f\u203f\u2040-"
# Possessive quantifiers: one pass, nothing to backtrack into, so a hostile line costs what its length costs.
_IRIREF = rf'<(?:[^\x00-\x20<>"{{}}|^`\\]|{_UCHAR})*+>'
_BLANK = rf"_:[{_PN_CHARS_U}0-9][{_PN_CHARS}]*+(?:\.++[{_PN_CHARS}]++)*+"
_STRING = rf'"(?:[^"\\\n\r]|\\[tbnrf"\'\\]|{_UCHAR})*+"'
_SPACE = r"[ \t]*+"
_STATEMENT = re.compile(
    rf"{_SPACE}(?:(?P<subject>{_IRIREF}|{_BLANK}){_SPACE}(?P<predicate>{_IRIREF}){_SPACE}"
    rf"(?:(?P<node>{_IRIREF}|{_BLANK})|(?P<text>{_STRING})"
    rf"(?:@(?P<language>[A-Za-z]++(?:-[A-Za-z0-9]++)*+)|\^\^(?P<datatype>{_IRIREF}))?)"
    rf"{_SPACE}(?P<graph>{_IRIREF}|{_BLANK})?{_SPACE}\.{_SPACE})?(?:#[^\n\r]*+)?"
)
_LINE_ENDS = re.compile(r"[\n\r]++")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_SHORT: Final = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


def parse(text: str, *, max_quads: int = DEFAULT_MAX_QUADS) -> list[Quad]:
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
