"""RDF quads as plain tuples of strings, and the canonical N-Quads form of each term.

Sources: RDF 1.1 N-Quads (grammar, section 4); RDF Dataset Canonicalization 1.0 (canonical form, section 5).

A quad is four strings in their serialised form, so that hashes and lines are mere concatenations and nothing is
escaped twice::

    ("<https://example.org/a>", "<https://schema.org/name>", '"Ada"@en', "")
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from lapel.errors import InvalidInput

__all__ = ["LANGUAGE_STRING", "InvalidTerm", "Quad", "iri", "literal", "serialise", "to_line"]

Quad: TypeAlias = tuple[str, str, str, str]
"""Subject, predicate, object, graph, each in canonical form; the default graph is the empty string."""

XSD_STRING: Final = "http://www.w3.org/2001/XMLSchema#string"
LANGUAGE_STRING: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"


class InvalidTerm(InvalidInput):
    """A value cannot be written as an RDF term."""

    code = "invalid_rdf_term"


# Includes lone surrogates: JSON allows them, UTF-8 does not.
_SPECIAL = re.compile(r'[\x00-\x1f"\\\x7f\ud800-\udfff\ufffe\uffff]').search
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
    """Serialise an absolute IRI as an N-Quads term.

    Raises:
        InvalidTerm: it is relative, or contains a character that is not allowed in IRIs.
    """
    if _BAD_IRI(value) or not _HAS_SCHEME(value):
        raise InvalidTerm(f"not an absolute IRI: {value[:100]!a}")
    return f"<{value}>"


def literal(value: str, *, datatype: str | None = None, language: str | None = None) -> str:
    """Serialise a literal as a canonical N-Quads term: `xsd:string` is omitted, language tags are lower-cased.

    Args:
        value: the lexical form, not escaped.
        datatype: an absolute IRI without angle brackets.
        language: a language tag, which excludes a datatype.

    Raises:
        InvalidTerm: a lone surrogate, a malformed language tag or datatype, or both of them.
    """
    if _SPECIAL(value):
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
    """Return the canonical N-Quads line of a quad, with its line feed."""
    subject, predicate, object_, graph = quad
    if graph:
        return f"{subject} {predicate} {object_} {graph} .\n"
    return f"{subject} {predicate} {object_} .\n"


def serialise(quads: Iterable[Quad]) -> str:
    """Return the quads as N-Quads lines, in the given order."""
    return "".join(map(to_line, quads))
