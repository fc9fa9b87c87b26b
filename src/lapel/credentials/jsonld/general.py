"""JSON-LD to quads with a complete processor (PyLD), for documents that the fast path does not support.

It runs in the calling process without a time limit: use `GeneralPath` for untrusted documents.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Final

from cachetools import LRUCache
from pyld import jsonld

from lapel.credentials.jsonld.contexts import Contexts
from lapel.credentials.jsonld.errors import (
    DroppedValue,
    JsonLdError,
    RelativeIri,
    UndefinedTerm,
    pointer_to,
)
from lapel.credentials.jsonld.iris import KEYWORDS, is_absolute
from lapel.credentials.jsonld.limits import bounded_copy
from lapel.credentials.jsonld.numeric import canonical_double
from lapel.credentials.rdf.nquads import LANGUAGE_STRING, InvalidTerm, Quad, literal
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import LapelError

__all__ = ["general_to_quads"]

MAX_CONTEXTS: Final = 100

_STRUCTURE: Final = frozenset({"@id", "@type", "@graph", "@included", "@reverse"})
"""The keywords of a node object whose content becomes RDF."""


def general_to_quads(document: JsonObject, *, contexts: Contexts, strict_numbers: bool = True) -> list[Quad]:
    """Convert a JSON-LD document to distinct RDF quads, in no particular order. What RDF would drop is an error.

    Args:
        document: parsed JSON.
        contexts: the pinned contexts; nothing is fetched.
        strict_numbers: reject numbers that implementations serialise differently, as an issuer must.

    Raises:
        JsonLdError: the document is invalid; subclasses as for `to_quads`. The JSON Pointer is the first place that
            matches the error.
        DocumentTooLarge: it exceeds the limits of `bounded_copy`.
    """
    plain = bounded_copy(document, strict_numbers=strict_numbers)
    loader = _Loader(contexts)
    options = {
        "base": None,
        "documentLoader": loader,
        # RDF has no direction of text; implementations that sign it use this option (digitalbazaar's suites do).
        "rdfDirection": "i18n-datatype",
        # A new one for each document, because processing `@import` modifies the context documents in place.
        "contextResolver": jsonld.ContextResolver(LRUCache(maxsize=MAX_CONTEXTS), loader),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # for terms in the form of keywords, which are rightly ignored
            dataset = _SafeProcessor(plain).to_rdf(plain, options)
        quads = list(_quads(dataset))
    except LapelError:
        raise
    except Exception as error:
        # For some invalid documents, PyLD raises arbitrary exceptions.
        raise _converted(error) from error
    if not quads:
        raise DroppedValue("the document says nothing")
    return list(dict.fromkeys(quads))


class _Loader:
    """Loads the pinned contexts, as a new copy each time."""

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts

    def __call__(self, url: str, options: object) -> dict[str, object]:
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": copy.deepcopy(self._contexts.document(url)),
        }


class _SafeProcessor(jsonld.JsonLdProcessor):  # type: ignore[misc] # PyLD has no type hints
    """A processor that reports what PyLD would drop silently."""

    def __init__(self, document: JsonObject) -> None:
        super().__init__(on_property_dropped=self._property_dropped)
        self._document = document

    def expand(self, input_: JsonValue, options: object) -> JsonValue:
        expanded: JsonValue = super().expand(input_, options)
        self._check(expanded)
        return expanded

    def _expand(
        self, active_ctx: object, active_property: object, element: JsonValue, *args: object, **kwargs: object
    ) -> JsonValue:
        expanded: JsonValue = super()._expand(active_ctx, active_property, element, *args, **kwargs)
        if expanded is None and element is not None:
            raise DroppedValue("a value says nothing where it stands", pointer=self._find(element))
        return expanded

    def _create_node_map(
        self,
        input_: JsonValue,
        graph_map: Mapping[str, Mapping[str, dict[str, list[JsonValue]]]],
        active_graph: str,
        issuer: object,
        active_subject: object = None,
        active_property: str = "",
        list_: Mapping[str, list[JsonValue]] | None = None,
    ) -> None:
        """Append a node's values without comparing each with all before it; duplicates are removed at the end."""
        collected = list_
        if list_ is None and isinstance(active_subject, str):
            collected = {"@list": graph_map[active_graph][active_subject].setdefault(active_property, [])}
        super()._create_node_map(input_, graph_map, active_graph, issuer, active_subject, active_property, collected)

    def _object_to_rdf(self, item: JsonValue, *args: object) -> dict[str, JsonValue]:
        term: dict[str, JsonValue] = super()._object_to_rdf(item, *args)
        value = item.get("@value") if isinstance(item, dict) else None
        if isinstance(value, int | float) and "E" in str(term["value"]):
            term["value"] = canonical_double(float(value))  # PyLD rounds a half to the even digit
        return term

    def _property_dropped(self, name: str | None) -> None:
        shown = "a member" if name is None else f"{name[:100]!a}"
        raise UndefinedTerm(f"{shown} is not defined by the contexts in force here", pointer=self._find(name))

    def _check(self, expanded: JsonValue) -> None:
        """Check for values that survived expansion but that RDF would drop."""
        if isinstance(expanded, list):
            for item in expanded:
                self._check(item)
        elif isinstance(expanded, dict):
            if "@index" in expanded:
                raise DroppedValue("RDF does not keep @index")
            if "@direction" in expanded and not isinstance(expanded["@value"], str):
                raise DroppedValue("RDF keeps the @direction of texts alone")
            if "@list" in expanded:
                self._check(expanded["@list"])
            elif "@value" not in expanded:
                self._check_node(expanded)

    def _check_node(self, node: dict[str, JsonValue]) -> None:
        for key, value in node.items():
            if key == "@id":
                self._check_iri(value, RelativeIri)
            elif key == "@type":
                for type_ in value if isinstance(value, list) else [value]:
                    self._check_iri(type_, UndefinedTerm)
            elif key == "@reverse" and isinstance(value, dict):
                self._check_node(value)
            elif key in KEYWORDS and key not in _STRUCTURE:
                raise DroppedValue(f"RDF does not keep {key}", pointer=self._find(key))
            elif key in KEYWORDS or is_absolute(key):
                self._check(value)
            else:
                raise UndefinedTerm(f"{key[:100]!a} is not an absolute IRI", pointer=self._find(key))

    def _check_iri(self, value: JsonValue, problem: type[JsonLdError]) -> None:
        if not isinstance(value, str) or not (value.startswith("_:") or is_absolute(value)):
            raise problem(f"{str(value)[:100]!a} is not an absolute IRI", pointer=self._find(value))

    def _find(self, target: JsonValue) -> str:
        """Return the JSON Pointer of the first member with this name or value in the document."""
        return next((pointer_to(*steps) for steps in _paths(self._document, target)), "")


def _paths(value: JsonValue, target: JsonValue, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name == target:
                yield (*steps, name)
            yield from _paths(member, target, (*steps, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, target, (*steps, index))
    if value is target or (isinstance(target, str) and value == target):
        yield steps


def _quads(dataset: dict[str, list[dict[str, dict[str, str]]]]) -> Iterator[Quad]:
    for name, triples in dataset.items():
        if not triples and name != "@default":
            raise DroppedValue("an object without properties says nothing in a graph of its own")
        graph = "" if name == "@default" else _resource(name)
        for triple in triples:
            object_ = triple["object"]
            yield (
                _resource(triple["subject"]["value"]),
                _resource(triple["predicate"]["value"]),
                _literal(object_) if object_["type"] == "literal" else _resource(object_["value"]),
                graph,
            )


def _resource(value: str) -> str:
    if value.startswith("_:"):
        return value
    if not is_absolute(value):
        raise RelativeIri(f"{value[:100]!a} is not an absolute IRI")
    return f"<{value}>"


def _literal(term: dict[str, str]) -> str:
    value, datatype = term["value"], term["datatype"]
    if not isinstance(value, str):
        raise JsonLdError("a literal that is not text")
    try:
        if "language" in term:
            return literal(value, language=term["language"])
        if datatype == LANGUAGE_STRING:
            raise JsonLdError("a language-tagged string without a language")
        if not is_absolute(datatype):
            raise RelativeIri(f"the datatype {datatype[:100]!a} is not an absolute IRI")
        return literal(value, datatype=datatype)
    except InvalidTerm as error:
        raise JsonLdError(error.detail) from error


def _converted(error: BaseException) -> LapelError:
    """Return the LapelError among the causes, or else one with the JSON-LD error code of the root cause."""
    detail = "the document cannot be processed"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, LapelError):
            return cause
        code = getattr(cause, "code", None)
        if isinstance(code, str):
            detail = f"JSON-LD: {code}"
        cause = cause.__cause__ or cause.__context__
    return JsonLdError(detail)
