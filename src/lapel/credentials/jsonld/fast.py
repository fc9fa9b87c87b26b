"""Direct conversion of JSON-LD to quads, for documents that use only pinned contexts (JSON-LD 1.1 API, 5 and 8).

Expansion, flattening and serialisation happen in one pass. The meaning of each member is computed once for each kind
of node (`plan.py`). Always in safe mode: a value that RDF would drop, so that it would not be signed, is an error.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import Final, NoReturn

from lapel.credentials.jsonld.active import ActiveContext
from lapel.credentials.jsonld.compiler import Compiler
from lapel.credentials.jsonld.contexts import Contexts
from lapel.credentials.jsonld.errors import (
    DocumentTooLarge,
    DroppedValue,
    JsonLdError,
    NeedsGeneralPath,
)
from lapel.credentials.jsonld.numeric import XSD, number_literal
from lapel.credentials.jsonld.plan import (
    GRAPH,
    LIST,
    SKIPPED,
    Plan,
    Property,
    plan_for,
    property_of,
    suffix_of,
)
from lapel.credentials.rdf.nquads import InvalidTerm, Quad, literal
from lapel.domain.json import JsonObject, JsonValue

__all__ = ["MAX_DEPTH", "Converter", "to_quads"]

MAX_DEPTH: Final = 64
"""The maximum depth of nested objects."""
_MAX_QUADS: Final = 200_000
MAX_NEW_CONTEXTS: Final = 100
"""How many contexts may be compiled for one document, at a third of a millisecond each."""

RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TYPE: Final = f"<{RDF}type>"
_FIRST: Final = f"<{RDF}first>"
_REST: Final = f"<{RDF}rest>"
_NIL: Final = f"<{RDF}nil>"


class Converter:
    """Converts one document to quads."""

    __slots__ = ("_blank", "_compiler", "_label", "_max_compiled", "_strict", "quads")

    def __init__(self, compiler: Compiler, *, strict_numbers: bool, label: str) -> None:
        self.quads: list[Quad] = []
        self._compiler = compiler
        self._max_compiled = compiler.compiled + MAX_NEW_CONTEXTS
        self._strict = strict_numbers
        self._blank = count()
        self._label = f"_:{label}"

    def document(self, document: JsonObject) -> list[Quad]:
        """Return the quads of a whole document.

        Raises:
            JsonLdError, NeedsGeneralPath, DocumentTooLarge: see `lapel.credentials.jsonld.to_quads`.
        """
        if type(document) is not dict:
            raise JsonLdError("a JSON-LD document is a JSON object")
        self._node(self._compiler.initial, document, "", 1)
        if not self.quads:
            raise DroppedValue("the document says nothing")
        return self.quads

    # --- nodes ---

    def _node(self, context: ActiveContext, element: dict[str, JsonValue], graph: str, depth: int) -> str:
        """Add the quads of a node object, and return its identifier as an N-Quads term."""
        if depth > MAX_DEPTH or len(self.quads) > _MAX_QUADS:
            raise DocumentTooLarge
        if "@context" in element:
            context = self._local_context(context, element["@context"])
        plan = self._plan(context, element)
        inner = plan.inner
        subject = self._subject(inner, element)
        quads = self.quads
        for type_ in plan.types:
            quads.append((subject, _TYPE, type_, graph))
        properties = inner.properties
        key = ""
        try:
            for key, value in element.items():
                rule = properties.get(key) or self._property(inner, key)
                kind = rule.kind
                if kind == SKIPPED or value is None:
                    continue
                if kind == LIST:
                    object_ = self._list(rule, value, graph, depth)
                elif type(value) is list:
                    self._many(subject, rule, value, graph, depth)
                    continue
                elif kind == GRAPH:
                    object_ = self._graph(rule, value, depth)
                elif type(value) is str:
                    object_ = rule.text(value)
                else:
                    object_ = self._object(rule, value, graph, depth)
                quads.append((subject, rule.predicate, object_, graph))
        except JsonLdError as error:
            error.within(key)
            raise
        except InvalidTerm as error:
            _raise_located(error, key)
        return subject

    def _many(self, subject: str, rule: Property, values: list[JsonValue], graph: str, depth: int) -> None:
        index = 0
        try:
            for index, value in enumerate(values):  # noqa: B007 - used in the pointer
                if value is None:
                    continue
                if rule.kind == GRAPH:
                    object_ = self._graph(rule, value, depth)
                else:
                    object_ = self._object(rule, value, graph, depth)
                self.quads.append((subject, rule.predicate, object_, graph))
        except JsonLdError as error:
            error.within(index)
            raise
        except InvalidTerm as error:
            _raise_located(error, index)

    def _subject(self, inner: ActiveContext, element: dict[str, JsonValue]) -> str:
        subject = ""
        for key in inner.id_keys:
            if key in element:
                if subject:
                    raise JsonLdError("a node has two identifiers")
                subject = _reference(inner, key, element[key])
        return subject or f"{self._label}{next(self._blank)}"

    # --- values ---

    def _object(self, rule: Property, value: JsonValue, graph: str, depth: int) -> str:
        """Return the N-Quads term of one value that is not null, after adding the quads of nodes in it."""
        if isinstance(value, str):
            return rule.text(value)
        if isinstance(value, dict):
            if "@value" in value:
                return self._value_object(rule.values, value)
            if len(value) == 1:
                for key in rule.values.id_keys:
                    if key in value:
                        # An object with only an id does not revert the context (JSON-LD 1.1 API, 5.1.2, step 7).
                        return _reference(rule.values, key, value[key])
            return self._node(rule.nodes, value, graph, depth + 1)
        if isinstance(value, int | float):
            return number_literal(value, suffix=rule.suffix, strict=self._strict)
        if isinstance(value, list):
            raise NeedsGeneralPath("an array in an array")
        raise JsonLdError(f"{type(value).__name__} is not a type of JSON")

    def _graph(self, rule: Property, value: JsonValue, depth: int) -> str:
        """Put one node into a graph of its own, and return the name of the graph."""
        if isinstance(value, list):
            raise NeedsGeneralPath("an array in an array")
        if not isinstance(value, dict) or "@value" in value:
            raise DroppedValue("only an object with properties can stand here")
        name = f"{self._label}{next(self._blank)}"
        count_before = len(self.quads)
        self._object(rule, value, name, depth)
        if len(self.quads) == count_before:
            raise DroppedValue("an object without properties says nothing here")
        return name

    def _list(self, rule: Property, value: JsonValue, graph: str, depth: int) -> str:
        """Add the quads of an RDF list, and return its head."""
        values = value if isinstance(value, list) else [value]
        index = 0
        objects = []
        try:
            for index, item in enumerate(values):  # noqa: B007 - used in the pointer
                if item is not None:
                    objects.append(self._object(rule, item, graph, depth))
        except JsonLdError as error:
            if values is value:
                error.within(index)
            raise
        except InvalidTerm as error:
            _raise_located(error, *([index] if values is value else []))
        rest = _NIL
        for object_ in reversed(objects):
            head = f"{self._label}{next(self._blank)}"
            self.quads.append((head, _FIRST, object_, graph))
            self.quads.append((head, _REST, rest, graph))
            rest = head
        return rest

    def _value_object(self, context: ActiveContext, element: dict[str, JsonValue]) -> str:
        """Return the literal of a value object (JSON-LD 1.1, section 4.2.1)."""
        value = element["@value"]
        if value is None:
            raise DroppedValue("a value object with nothing in it")
        if len(element) > 2 or not isinstance(value, str | int | float):
            raise NeedsGeneralPath("an unusual value object")
        key = next((name for name in element if name != "@value"), None)
        if key is None:
            return self._literal(value, None)
        other = element[key]
        if not isinstance(other, str):
            raise NeedsGeneralPath("an unusual value object")
        if key == "@language":
            if not isinstance(value, str):
                raise JsonLdError("only a string can have a language")
            try:
                return literal(value, language=other)
            except InvalidTerm as error:
                _raise_located(error, key)
        type_term = context.terms.get(other)
        ignored = type_term is not None and type_term.iri is None
        if key not in context.type_keys or other.startswith("@") or ignored:
            raise NeedsGeneralPath("an unusual value object")
        try:
            # The type of a value is looked up like that of a node, including scoped contexts.
            plan = context.plans.get(other) or self._new_plan(context, other)
        except JsonLdError as error:
            error.within(key)
            raise
        suffix = suffix_of(plan.types[0])
        if suffix == f"^^<{XSD}double>" and isinstance(value, str):
            raise NeedsGeneralPath("a string that is typed as xsd:double")
        return self._literal(value, suffix)

    def _literal(self, value: str | int | float, suffix: str | None) -> str:
        if isinstance(value, str):
            return literal(value) + (suffix or "")
        return number_literal(value, suffix=suffix, strict=self._strict)

    # --- contexts ---

    def _local_context(self, context: ActiveContext, local: JsonValue) -> ActiveContext:
        urls = local if isinstance(local, list) else [local]
        index = 0
        try:
            for index, url in enumerate(urls):  # noqa: B007 - used in the pointer
                if not isinstance(url, str):
                    raise NeedsGeneralPath("a context written into the document")
                context = context.named.get(url) or self._compiler.named(context, url)
        except JsonLdError as error:
            if urls is local:
                error.within(index)
            error.within("@context")
            raise
        self._check_budget()
        return context

    def _plan(self, context: ActiveContext, element: dict[str, JsonValue]) -> Plan:
        type_key: str | None = None
        types: str | tuple[str, ...] = ()
        for key in context.type_keys:
            if key in element:
                if type_key is not None:
                    raise NeedsGeneralPath("a node with two members for its types")
                type_key = key
                types = _types(element[key], key)
        try:
            return context.plans.get(types) or self._new_plan(context, types)
        except JsonLdError as error:
            error.within(type_key or "@type")
            raise

    def _new_plan(self, context: ActiveContext, types: str | tuple[str, ...]) -> Plan:
        plan = plan_for(self._compiler, context, types)
        self._check_budget()
        return plan

    def _property(self, inner: ActiveContext, name: str) -> Property:
        rule = property_of(self._compiler, inner, name)
        self._check_budget()
        return rule

    def _check_budget(self) -> None:
        if self._compiler.compiled > self._max_compiled:
            raise NeedsGeneralPath("a document with very many combinations of contexts")


def _types(value: JsonValue, key: str) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        types = tuple([item for item in value if isinstance(item, str)])
        if len(types) == len(value):
            return types
    error = JsonLdError("a type is a string, or an array of strings")
    error.within(key)
    raise error


def _reference(context: ActiveContext, key: str, value: JsonValue) -> str:
    try:
        if not isinstance(value, str):
            raise JsonLdError("an identifier is a string")
        return context.reference(value)
    except JsonLdError as error:
        error.within(key)
        raise


def _raise_located(cause: InvalidTerm, *steps: str | int) -> NoReturn:
    error = JsonLdError(cause.detail)
    for step in reversed(steps):
        error.within(step)
    raise error from cause


@lru_cache(maxsize=8)
def _compiler_of(contexts: Contexts) -> Compiler:
    """Return the compiler of a registry, with everything that it has compiled so far."""
    return Compiler(contexts)


def to_quads(document: JsonObject, *, contexts: Contexts, strict_numbers: bool = True, label: str = "b") -> list[Quad]:
    """Convert a JSON-LD document to RDF quads, in no particular order and possibly with duplicates.

    Safe mode: whatever RDF would drop is an error, so that a signature over the quads covers the document. Only null
    is allowed, which is equivalent to absence in JSON-LD (1.1, section 9.2).

    Args:
        document: parsed JSON: dict, list, str, int, float, bool, None.
        contexts: the pinned contexts; nothing is fetched.
        strict_numbers: reject numbers that implementations serialise differently, as an issuer must.
        label: the prefix of blank node labels (``_:b0``). It must be different for each part of a document that is
            converted separately, such as an issuer or achievement that many credentials embed.

    Raises:
        JsonLdError: the document is invalid; a subclass and a JSON Pointer say how and where. `UnknownContext` if a
            context is not pinned, `UndefinedTerm`, `RelativeIri`, `DroppedValue`, `UnsafeNumber`, `InvalidContext`.
        NeedsGeneralPath: it uses unsupported features: use `GeneralPath`.
        DocumentTooLarge: it is nested too deeply or has too many quads.
    """
    return Converter(_compiler_of(contexts), strict_numbers=strict_numbers, label=label).document(document)
