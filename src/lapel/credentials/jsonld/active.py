"""Active contexts: the meaning of terms at one place in a document (JSON-LD 1.1 API, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lapel.credentials.jsonld.definition import Term
from lapel.credentials.jsonld.errors import DroppedValue, NeedsGeneralPath, RelativeIri
from lapel.credentials.jsonld.iris import KEYWORDS, is_absolute, is_keyword_like, is_plain_address
from lapel.domain.json import JsonObject

if TYPE_CHECKING:
    from lapel.credentials.jsonld.plan import Plan, Property

__all__ = ["ActiveContext"]


class ActiveContext:
    """The meaning of terms at one place in a document. Immutable except for its caches.

    Attributes:
        terms: the definition of each term.
        vocab: the prefix of undefined terms, or None.
        previous: for a type-scoped context, the one to which nodes below this node revert; else None.
        prefixes: the terms that can be used as prefixes, and their IRIs.
        id_keys, type_keys: `@id` and its aliases, `@type` and its aliases.
        applied, named, plans, properties: caches of what has been derived from this context.
    """

    __slots__ = (
        "applied",
        "id_keys",
        "named",
        "plans",
        "prefixes",
        "previous",
        "properties",
        "terms",
        "type_keys",
        "vocab",
    )

    def __init__(self, terms: Mapping[str, Term], vocab: str | None, previous: ActiveContext | None) -> None:
        self.terms = terms
        self.vocab = vocab
        self.previous = previous
        self.prefixes = {name: term.iri for name, term in terms.items() if term.prefix and term.iri}
        self.id_keys = ("@id", *(name for name, term in terms.items() if term.iri == "@id"))
        self.type_keys = ("@type", *(name for name, term in terms.items() if term.iri == "@type"))
        self.applied: dict[tuple[int, bool, bool], tuple[JsonObject | None, ActiveContext]] = {}
        self.named: dict[str, ActiveContext] = {}
        self.plans: dict[str | tuple[str, ...], Plan] = {}
        self.properties: dict[str, Property] = {}

    def reference(self, value: str) -> str:
        """Expand the identifier of a node to an N-Quads term. Prefixes apply, other terms do not.

        Raises:
            RelativeIri: it is not absolute.
            NeedsGeneralPath: it is a blank node.
        """
        if is_plain_address(value):  # before `://`, a term is not a prefix
            return f"<{value}>"
        prefix, colon, suffix = value.partition(":")
        if colon:
            if prefix == "_":
                raise NeedsGeneralPath("the document names a blank node")
            if prefix in self.prefixes and not suffix.startswith("//"):
                value = self.prefixes[prefix] + suffix
            if is_absolute(value):
                return f"<{value}>"
        raise RelativeIri(f"{value[:100]!a} is not an absolute IRI")

    def vocabulary(self, value: str) -> str:
        """Expand a property, a type or a value of a term of type `@vocab` to an N-Quads term.

        Raises:
            DroppedValue: the context maps it to null, or it is a keyword.
            RelativeIri: it is neither a term nor an absolute IRI.
            NeedsGeneralPath: it is a blank node.
        """
        term = self.terms.get(value)
        iri = value if term is None else term.iri
        if iri is None or iri in KEYWORDS or is_keyword_like(iri):
            raise DroppedValue(f"{value[:100]!a} has no meaning here")
        if term is not None:
            return f"<{iri}>"
        if self.vocab is None or is_absolute(value) or value.startswith("_:"):
            return self.reference(value)
        prefix, colon, _ = value.partition(":")
        if colon and prefix in self.prefixes:
            return self.reference(value)
        if not is_absolute(self.vocab + value):
            raise RelativeIri(f"{value[:100]!a} is not a term")
        return f"<{self.vocab}{value}>"
