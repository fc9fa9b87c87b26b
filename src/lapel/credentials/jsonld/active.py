"""What terms mean at one place of a document (JSON-LD 1.1 API, section 4: active context)."""

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
    """What terms mean at one place of a document. Immutable but for what it remembers.

    Attributes:
        terms: the definition of each term.
        vocab: what is put before undefined terms, or None.
        previous: the context to go back to below this node, where this one is scoped to its type; else None.
        prefixes: the terms that may stand before a colon, and their IRIs.
        id_keys: the names of `@id`, itself included. `type_keys`: those of `@type`.
        applied, named, plans, properties: what has been derived from this context so far.
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
        """Expand the identifier of a node to an N-Quads term; terms of the context do not apply to it.

        Raises:
            RelativeIri: it is not absolute.
            NeedsGeneralPath: it is a blank node.
        """
        if is_plain_address(value):  # no term before `://` is a prefix
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
            DroppedValue: the context says to ignore it, or it is a keyword.
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
