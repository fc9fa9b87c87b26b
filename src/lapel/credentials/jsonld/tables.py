"""The notation of the term tables in `lapel/credentials/contexts`.

A table defines one JSON-LD context, with one term in each line, in columns that are two or more spaces apart::

    # a comment
    url    https://example.org/context/v1          the URL of the context
    short  ex  https://example.org/terms#          an abbreviation within this file only: ex~name

    ! protected aliases                            flags of this scope
    xs:     http://www.w3.org/2001/XMLSchema#      a colon: the term may also be used as a prefix
    name    ex~name                                term, IRI
    made    ex~made  xs:date                       term, IRI, type of its values
    parts   ex~part  @id  @list                    term, IRI, type ("-" for none), container
    Badge   ex~Badge
      ! aliases                                    indented lines: the context scoped to this term
      level  ex~level

Flags: `protected` (all terms of the scope are protected), `aliases` (`id` and `type` are aliases of `@id` and
`@type`), `nothing` (the scope clears all terms: `"@context": null`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from lapel.domain.json import JsonObject, JsonValue

__all__ = ["MalformedTable", "TermTable", "read_table"]


class MalformedTable(ValueError):
    """A term table does not follow the notation."""


@dataclass(frozen=True, slots=True)
class TermTable:
    """One context.

    Attributes:
        url: the URL of the context.
        context: its terms, as the value of `@context` in a JSON-LD context document.
    """

    url: str
    context: JsonObject


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    columns: list[str]


_SEPARATOR = re.compile(r" {2,}")


def read_table(text: str) -> TermTable:
    """Parse one term table.

    Raises:
        MalformedTable: with the number of the line.
    """
    abbreviations: dict[str, str] = {}
    url = ""
    body: list[_Line] = []
    for line in _lines(text):
        match line.columns:
            case ["url", address] if not body:
                url = address
            case ["short", name, iri] if not body:
                abbreviations[name] = iri
            case _:
                body.append(line)
    if not url or not body:
        raise MalformedTable("a table needs a `url` line and terms")
    context, rest = _scope(body, 0, partial(_expand, abbreviations))
    if rest < len(body) or context is None:
        raise MalformedTable(f"line {body[min(rest, len(body) - 1)].number}: not expected here")
    return TermTable(url, context)


def _lines(text: str) -> Iterator[_Line]:
    for number, raw in enumerate(text.split("\n"), start=1):
        content = raw.strip()
        if content and not content.startswith("#"):
            yield _Line(number, len(raw) - len(raw.lstrip(" ")), _SEPARATOR.split(content))


def _scope(lines: list[_Line], start: int, expand: partial[str]) -> tuple[JsonObject | None, int]:
    """Parse the lines of one scope, and return its context and the index of the first line after it."""
    indent = lines[start].indent
    context: dict[str, JsonValue] = {}
    position = start
    while position < len(lines) and lines[position].indent == indent:
        line = lines[position]
        position += 1
        if line.columns[0].startswith("! "):
            if line.columns[0] == "! nothing":
                return None, position
            context.update(_flags(line))
            continue
        definition = _definition(line, expand)
        term = line.columns[0]
        if term.endswith(":"):
            # A term with a plain string that ends in a delimiter can be used as a prefix (JSON-LD 1.1, 4.1.5).
            context[term[:-1]] = definition["@id"]
            continue
        if position < len(lines) and lines[position].indent > indent:
            definition["@context"], position = _scope(lines, position, expand)
        context[term] = definition
    if position < len(lines) and lines[position].indent > indent:
        raise MalformedTable(f"line {lines[position].number}: indented without a term")
    return context, position


def _flags(line: _Line) -> dict[str, JsonValue]:
    flags: dict[str, JsonValue] = {}
    for flag in line.columns[0][2:].split(" "):
        if flag == "protected":
            flags["@protected"] = True
        elif flag == "aliases":
            flags |= {"id": "@id", "type": "@type"}
        else:
            raise MalformedTable(f"line {line.number}: unknown flag {flag}")
    return flags


def _definition(line: _Line, expand: partial[str]) -> dict[str, JsonValue]:
    if not 2 <= len(line.columns) <= 4:
        raise MalformedTable(f"line {line.number}: a term has two to four columns")
    _, iri, *rest = line.columns
    definition: dict[str, JsonValue] = {"@id": expand(iri)}
    if rest and rest[0] != "-":
        definition["@type"] = expand(rest[0])
    if len(rest) == 2:
        definition["@container"] = rest[1]
    return definition


def _expand(abbreviations: dict[str, str], name: str) -> str:
    abbreviation, tilde, suffix = name.partition("~")
    if not tilde:
        return name
    if abbreviation not in abbreviations:
        raise MalformedTable(f"unknown abbreviation {abbreviation}~")
    return abbreviations[abbreviation] + suffix
