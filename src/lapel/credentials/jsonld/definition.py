"""Term definitions (JSON-LD 1.1 API, section 4.2: Create Term Definition), for the supported features."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from lapel.credentials.jsonld.errors import InvalidContext, NeedsGeneralPath
from lapel.credentials.jsonld.iris import KEYWORDS, is_absolute, is_keyword_like
from lapel.domain.json import JsonObject, JsonValue

__all__ = ["NO_SCOPE", "Definitions", "Term"]

NO_SCOPE: Final = "no scoped context"
"""Represents an absent `@context` in a term definition, since null has a meaning of its own."""

_FLAGS: Final = frozenset({"@version", "@protected", "@vocab"})
_MEMBERS: Final = frozenset({"@id", "@type", "@container", "@context", "@protected", "@prefix"})
_CONTAINERS: Final = frozenset({"@list", "@set", "@graph", "@index", "@id", "@type", "@language"})
_ALIASED: Final = frozenset({"@id", "@type"})
_ENDS_IN_DELIMITER = re.compile(r".*[:/?#\[\]@]", re.DOTALL).fullmatch


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """The definition of one term.

    Attributes:
        iri: an absolute IRI or a keyword; None if the context maps the term to null.
        type: the IRI of a datatype, `@id`, `@vocab`, `@json` or `@none`; None if absent.
        container: the keywords of `@container`.
        prefix: whether the term can be used as a prefix.
        protected: whether later contexts must not redefine the term.
        scope: the context scoped to the term, as in the context document, or `NO_SCOPE`.
    """

    iri: str | None
    type: str | None
    container: frozenset[str]
    prefix: bool
    protected: bool
    scope: JsonValue

    @property
    def identity(self) -> tuple[object, ...]:
        """A key that is equal for terms that behave the same. Scopes are compared by object identity."""
        return (self.iri, self.type, self.container, self.prefix, self.protected, id(self.scope))

    def same_meaning(self, other: Term) -> bool:
        """Return whether the two are equal except for protection."""
        own = (self.iri, self.type, self.container, self.prefix, self.scope)
        return own == (other.iri, other.type, other.container, other.prefix, other.scope)


class Definitions:
    """Applies one local context to the terms of an active one."""

    def __init__(
        self,
        local: JsonObject,
        inherited: Mapping[str, Term],
        *,
        vocab: str | None,
        override_protected: bool,
    ) -> None:
        self._local = local
        self._terms = dict(inherited)
        self._vocab = vocab
        self._override = override_protected
        self._done: dict[str, bool] = {}

    def completed(self) -> tuple[Mapping[str, Term], str | None]:
        """Return all terms, inherited and new, and the vocabulary.

        Raises:
            InvalidContext: the local context redefines a protected term.
            NeedsGeneralPath: an unsupported feature, or an error that the general processor has to report.
        """
        flags = {name for name in self._local if name in KEYWORDS}
        if not flags <= _FLAGS or self._local.get("@version", 1.1) != 1.1:
            raise NeedsGeneralPath("a context with " + ", ".join(sorted(flags - _FLAGS or flags)))
        if "@vocab" in self._local:
            vocab = self._local["@vocab"]
            if not isinstance(vocab, str) or not is_absolute(vocab) or vocab.partition(":")[0] in self._terms:
                self._unusual("@vocab")
            self._vocab = vocab
        for name in self._local:
            if name not in flags:
                self._define(name, override=self._override)
                self._check_scope(name)
        return self._terms, self._vocab

    def _check_scope(self, name: str) -> None:
        """Check the context scoped to a term: an error in it counts even if the scope is not used (step 21.3)."""
        scope = self._terms[name].scope
        if scope == NO_SCOPE or scope is None:
            return
        if not isinstance(scope, Mapping):
            self._unusual(name)
        try:
            Definitions(scope, self._terms, vocab=self._vocab, override_protected=True).completed()
        except InvalidContext as error:
            raise NeedsGeneralPath(f"a mistake in the context scoped to {name[:100]!a}") from error

    def _define(self, name: str, *, override: bool) -> None:
        if name in self._done:
            if not self._done[name]:
                raise InvalidContext(f"the definition of {name[:100]!a} goes in a circle")
            return
        self._done[name] = False
        if name == "" or name.startswith("@") or ":" in name or "/" in name:
            self._unusual(name)
        previous = self._terms.pop(name, None)
        term = self._term(name)
        if previous is not None and previous.protected and not override:
            if not term.same_meaning(previous):
                raise InvalidContext(f"a context redefines the protected term {name[:100]!a}")
            term = replace(term, protected=True)
        self._terms[name] = term
        self._done[name] = True

    def _term(self, name: str) -> Term:
        value = self._local[name]
        simple = value is None or isinstance(value, str)
        definition: JsonValue = {"@id": value} if simple else value
        if not isinstance(definition, Mapping) or not definition.keys() <= _MEMBERS:
            self._unusual(name)
        iri = self._mapping(name, definition)
        explicit_prefix = definition.get("@prefix", False)
        protected = definition.get("@protected", self._local.get("@protected", False))
        if not isinstance(explicit_prefix, bool) or not isinstance(protected, bool):
            self._unusual(name)
        implicit_prefix = simple and definition["@id"] != name and bool(iri and _ENDS_IN_DELIMITER(iri))
        return Term(
            iri=iri,
            type=self._type(name, definition),
            container=self._container(name, definition),
            prefix=explicit_prefix if "@prefix" in definition else implicit_prefix,
            protected=protected,
            scope=definition.get("@context", NO_SCOPE),
        )

    def _mapping(self, name: str, definition: JsonObject) -> str | None:
        iri = definition.get("@id", name)
        if iri is None:
            return None
        if not isinstance(iri, str):
            self._unusual(name)
        if iri == name:
            if self._vocab is None:
                self._unusual(name)
            iri = self._vocab + name
        expanded = self._expanded(iri)
        if expanded not in _ALIASED and (expanded is None or not is_absolute(expanded)):
            self._unusual(name)
        return expanded

    def _type(self, name: str, definition: JsonObject) -> str | None:
        if "@type" not in definition:
            return None
        value = definition["@type"]
        if not isinstance(value, str):
            self._unusual(name)
        if value in {"@id", "@vocab", "@json", "@none"}:
            return value
        expanded = self._expanded(value)
        if expanded is None or not is_absolute(expanded):
            self._unusual(name)
        return expanded

    def _container(self, name: str, definition: JsonObject) -> frozenset[str]:
        if "@container" not in definition:
            return frozenset()
        value = definition["@container"]
        names = {value} if isinstance(value, str) else set()
        if isinstance(value, list):
            names = {item for item in value if isinstance(item, str)}
        if not names or not names <= _CONTAINERS or ("@list" in names and len(names) > 1):
            self._unusual(name)
        return frozenset(names)

    def _expanded(self, value: str) -> str | None:
        """Expand a name within the context, after defining the terms that it depends on (section 5.2)."""
        if value in KEYWORDS:
            return value
        if is_keyword_like(value):
            return None
        # A dependency may never override protected terms, even if the term that needs it may.
        if value in self._local and not self._done.get(value):
            self._define(value, override=False)
        if value in self._terms:
            return self._terms[value].iri
        prefix, colon, suffix = value.partition(":")
        if colon and prefix:
            if prefix == "_" or suffix.startswith("//"):
                return value
            if prefix in self._local and not self._done.get(prefix):
                self._define(prefix, override=False)
            term = self._terms.get(prefix)
            if term is not None and term.prefix and term.iri:
                return term.iri + suffix
            if is_absolute(value):
                return value
        return value if self._vocab is None else self._vocab + value

    def _unusual(self, name: str) -> NoReturn:
        raise NeedsGeneralPath(f"an unusual definition of {name[:100]!a} in a context")
