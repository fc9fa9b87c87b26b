"""Active contexts, each made once (JSON-LD 1.1 API, section 4: Context Processing Algorithms).

An active context is what the terms mean at one place of a document: the contexts named there, and those scoped
to the types and properties on the way down. There are few different ones, and every document of a kind meets the
same; so they are interned, and each remembers which other one follows when a further context is applied.

Only the features that published contexts use are understood; any other raises `NeedsGeneralPath`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lapel.credentials.jsonld.active import ActiveContext
from lapel.credentials.jsonld.contexts import Contexts, unknown_context
from lapel.credentials.jsonld.definition import Definitions, Term
from lapel.credentials.jsonld.errors import InvalidContext, NeedsGeneralPath
from lapel.domain.json import JsonObject, JsonValue

__all__ = ["Compiler", "scope_of"]

MAX_ACTIVE_CONTEXTS: Final = 1_000
"""How many are kept, about 20 kB each. Beyond, all are forgotten and made again as needed."""


class Compiler:
    """Makes and keeps the active contexts of one registry.

    Attributes:
        initial: the context before any other, with no terms.
        made: how many contexts have been made so far; a caller can bound what one document costs.
    """

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self._interned: dict[object, ActiveContext] = {}
        self.made = 0
        self.initial = ActiveContext({}, None, None)

    def named(self, active: ActiveContext, url: str) -> ActiveContext:
        """The context that follows where a document names a pinned one.

        Raises:
            UnknownContext: it is not pinned.
            InvalidContext: it redefines a protected term.
            NeedsGeneralPath: it uses features that are not compiled.
        """
        known = active.named.get(url)
        if known is not None:
            return known
        if not self._contexts.knows(url):
            raise unknown_context(url)
        local = self._contexts.document(url)["@context"]
        if not isinstance(local, Mapping):
            raise NeedsGeneralPath("a context that is not one object")
        result = active.named[url] = self.applied(active, local)
        return result

    def applied(
        self,
        active: ActiveContext,
        local: JsonObject | None,
        *,
        override_protected: bool = False,
        propagate: bool = True,
    ) -> ActiveContext:
        """The context that follows when `local` is applied; None clears everything. Errors as for `named`."""
        key = (id(local), override_protected, propagate)
        known = active.applied.get(key)
        if known is not None:
            return known[1]
        self.made += 1
        if local is None:
            if not override_protected:
                raise InvalidContext("a context with protected terms cannot be cleared here")
            result = self.initial
        else:
            result = self._processed(active, local, override_protected, propagate)
        # The local context is kept beside the result, so that no other object can ever have its id.
        active.applied[key] = (local, result)
        return result

    def _processed(
        self, active: ActiveContext, local: JsonObject, override_protected: bool, propagate: bool
    ) -> ActiveContext:
        definitions = Definitions(local, active.terms, vocab=active.vocab, override_protected=override_protected)
        terms, vocab = definitions.completed()
        previous = active.previous
        if not propagate and previous is None:
            previous = active
        identity = (
            frozenset((name, term.identity) for name, term in terms.items()),
            vocab,
            id(previous) if previous else 0,
        )
        known = self._interned.get(identity)
        if known is None:
            if len(self._interned) >= MAX_ACTIVE_CONTEXTS:
                self._forget()
            known = self._interned[identity] = ActiveContext(terms, vocab, previous)
        return known

    def _forget(self) -> None:
        self._interned = {}
        self.initial = ActiveContext({}, None, None)


def scope_of(term: Term) -> JsonObject | None:
    """The context scoped to a term that has one; None clears everything."""
    scope: JsonValue = term.scope
    if scope is not None and not isinstance(scope, Mapping):
        raise NeedsGeneralPath("a scoped context that is not one object")
    return scope
