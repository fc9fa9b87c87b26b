"""How to convert each member of a node, computed once for each context and set of types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lapel.credentials.jsonld.active import ActiveContext
from lapel.credentials.jsonld.compiler import Compiler, scope_of
from lapel.credentials.jsonld.definition import NO_SCOPE, Term
from lapel.credentials.jsonld.errors import (
    DroppedValue,
    JsonLdError,
    NeedsGeneralPath,
    RelativeIri,
    UndefinedTerm,
)
from lapel.credentials.jsonld.iris import KEYWORDS
from lapel.credentials.jsonld.numeric import XSD
from lapel.credentials.rdf.nquads import LANGUAGE_STRING, literal

__all__ = [
    "GRAPH",
    "LIST",
    "ONE_OR_MORE",
    "SKIPPED",
    "Plan",
    "Property",
    "plan_for",
    "property_of",
    "suffix_of",
]

SKIPPED: Final = 0
"""The context, the identifier and the types, which are handled before the other members."""
ONE_OR_MORE: Final = 1
LIST: Final = 2
GRAPH: Final = 3

MAX_TYPES: Final = 32
MAX_PLANS: Final = 256
"""How many sets of types each context caches, since a document can have any absolute IRI as a type."""


@dataclass(frozen=True, slots=True, eq=False)
class Property:
    """How to convert one member of a node.

    Attributes:
        kind: SKIPPED, ONE_OR_MORE, LIST or GRAPH.
        predicate: as an N-Quads term.
        text: converts a string to its N-Quads term.
        suffix: ``^^<datatype>`` for numbers and booleans, None to derive it from the value.
        values: the context for strings, value objects and objects with only an id.
        nodes: the context for nodes, in which the scopes of this node's types no longer apply.
    """

    kind: int
    predicate: str
    text: Callable[[str], str]
    suffix: str | None
    values: ActiveContext
    nodes: ActiveContext


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How to convert nodes of certain types.

    Attributes:
        inner: the context for their members, including the scopes of the types.
        types: the types as N-Quads terms.
    """

    inner: ActiveContext
    types: tuple[str, ...]


def plan_for(compiler: Compiler, context: ActiveContext, types: str | tuple[str, ...]) -> Plan:
    """Return the plan for nodes of these types in this context.

    Raises:
        JsonLdError: a type is undefined; the pointer is its index if `types` is a tuple.
        NeedsGeneralPath: see `Compiler`.
    """
    names = (types,) if isinstance(types, str) else types
    if len(names) > MAX_TYPES:
        raise NeedsGeneralPath("a node of very many types")
    # Types are looked up in the context without their scopes, in alphabetical order (5.1.2, 11).
    inner = context
    for name in sorted(names):
        term = context.terms.get(name)
        if term is not None and term.scope != NO_SCOPE:
            scope = scope_of(term)
            if scope is None:
                raise NeedsGeneralPath("a type that clears the context")
            inner = compiler.applied(inner, scope, propagate=False)
    if inner.id_keys != context.id_keys or inner.type_keys != context.type_keys:
        raise NeedsGeneralPath("a type that renames @id or @type")
    iris: list[str] = []
    for index, name in enumerate(names):
        try:
            iris.append(_type_iri(context, name))
        except JsonLdError as error:
            if not isinstance(types, str):
                error.within(index)
            raise
    plan = Plan(inner, tuple(dict.fromkeys(iris)))
    if len(context.plans) >= MAX_PLANS:
        context.plans.clear()
    context.plans[types] = plan
    return plan


def _type_iri(context: ActiveContext, name: str) -> str:
    try:
        return context.vocabulary(name)
    except (DroppedValue, RelativeIri) as error:
        raise UndefinedTerm(f"the type {name[:100]!a} is not defined by the contexts in force here") from error


def property_of(compiler: Compiler, inner: ActiveContext, name: str) -> Property:
    """Return how to convert the member `name` of a node whose members have the context `inner`.

    Raises:
        UndefinedTerm: the context does not define it.
        NeedsGeneralPath: its definition uses unsupported features.
    """
    term = inner.terms.get(name)
    if name == "@context" or name in inner.id_keys or name in inner.type_keys:
        result = Property(SKIPPED, "", literal, None, inner, inner)
    elif name in KEYWORDS:
        raise NeedsGeneralPath(f"the document uses {name}")
    else:
        try:
            predicate = inner.vocabulary(name)
        except (DroppedValue, RelativeIri) as error:
            raise UndefinedTerm(f"{name[:100]!a} is not defined by the contexts in force here") from error
        if term is None:
            # Not cached, since a document can have any absolute IRI as a property.
            return Property(ONE_OR_MORE, predicate, literal, None, inner, inner.previous or inner)
        result = _defined_property(compiler, inner, name, term, predicate)
    inner.properties[name] = result
    return result


def _defined_property(compiler: Compiler, inner: ActiveContext, name: str, term: Term, predicate: str) -> Property:
    if term.type == "@json":
        raise NeedsGeneralPath("a JSON literal")
    values, nodes = inner, inner.previous or inner
    coercion: Term | None = term
    if term.scope != NO_SCOPE:
        # The scope of a property applies to its strings too, on top of the current context; for nodes it is applied
        # after the scopes of this node's types are reverted (JSON-LD 1.1 API, 5.1.2, steps 4.2, 7 and 8).
        scope = scope_of(term)
        values = compiler.applied(values, scope, override_protected=True)
        nodes = compiler.applied(nodes, scope, override_protected=True)
        coercion = values.terms.get(name)
        if scope is not None and (coercion is None or coercion.identity != term.identity):
            raise NeedsGeneralPath(f"the context scoped to {name[:100]!a} defines it anew")
    text, suffix = _coercion(values, coercion.type if coercion else None)
    return Property(_kind(term.container), predicate, text, suffix, values, nodes)


def _coercion(values: ActiveContext, type_: str | None) -> tuple[Callable[[str], str], str | None]:
    if type_ is None or type_ == "@none":
        return literal, None
    if type_ == "@id":
        return values.reference, None
    if type_ == "@vocab":
        return values.vocabulary, None
    suffix = suffix_of(f"<{type_}>")
    if not suffix:
        return literal, suffix
    if suffix == f"^^<{XSD}double>":
        return _text_as_double, suffix

    def typed(value: str) -> str:
        # The same as `literal` but without the call, which costs as much as these checks; most strings have a type.
        if value.isprintable() and '"' not in value and "\\" not in value:
            return f'"{value}"{suffix}'
        return f"{literal(value)}{suffix}"

    return typed, suffix


def suffix_of(datatype: str) -> str:
    """Return the part after the quotes of a literal of this datatype, which is given as an N-Quads term."""
    if datatype == f"<{LANGUAGE_STRING}>":
        raise NeedsGeneralPath("a language-tagged string without a language")
    return "" if datatype == f"<{XSD}string>" else f"^^{datatype}"


def _text_as_double(value: str) -> str:
    # Processors disagree on whether such a string is canonicalised.
    raise NeedsGeneralPath("a string that is typed as xsd:double")


def _kind(container: frozenset[str]) -> int:
    if "@list" in container:
        return LIST
    rest = container - {"@set"}
    if not rest:
        return ONE_OR_MORE
    if rest == {"@graph"}:
        return GRAPH
    raise NeedsGeneralPath("a map by " + ", ".join(sorted(rest)))
