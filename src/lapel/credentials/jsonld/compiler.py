"""Computes active contexts, each only once (JSON-LD 1.1 API, section 4: Context Processing Algorithms).

The active context at one place in a document results from the contexts listed there, and those scoped to the types
and properties above. Documents of a kind all have the same few, so they are interned, and each caches the contexts
that result from applying others to it.

Only the features that published contexts use are supported; any other raises `NeedsGeneralPath`.
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
"""The maximum number of cached contexts, about 20 kB each. Then the cache is cleared."""


class Compiler:
    """Computes and caches the active contexts of one registry.

    Attributes:
        initial: the initial context, with no terms.
        compiled: how many contexts have been computed so far, by which a caller can limit the cost of one document.
    """

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self._interned: dict[object, ActiveContext] = {}
        self.compiled = 0
        self.initial = ActiveContext({}, None, None)

    def named(self, active: ActiveContext, url: str) -> ActiveContext:
        """Return the result of applying the pinned context at `url` to `active`.

        Raises:
            UnknownContext: it is not pinned.
            InvalidContext: it redefines a protected term.
            NeedsGeneralPath: it uses unsupported features.
        """
        cached = active.named.get(url)
        if cached is not None:
            return cached
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
        """Return the result of applying `local` to `active`; None clears all terms. Errors as for `named`."""
        key = (id(local), override_protected, propagate)
        cached = active.applied.get(key)
        if cached is not None:
            return cached[1]
        self.compiled += 1
        if local is None:
            if not override_protected:
                raise InvalidContext("a context with protected terms cannot be cleared here")
            result = self.initial
        else:
            result = self._process(active, local, override_protected, propagate)
        # The local context is stored as well, so that its id, which is the key, cannot be reused for another object.
        active.applied[key] = (local, result)
        return result

    def _process(
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
        interned = self._interned.get(identity)
        if interned is None:
            if len(self._interned) >= MAX_ACTIVE_CONTEXTS:
                self._clear()
            interned = self._interned[identity] = ActiveContext(terms, vocab, previous)
        return interned

    def _clear(self) -> None:
        self._interned = {}
        self.initial = ActiveContext({}, None, None)


def scope_of(term: Term) -> JsonObject | None:
    """Return the context scoped to a term that has one; None clears all terms."""
    scope: JsonValue = term.scope
    if scope is not None and not isinstance(scope, Mapping):
        raise NeedsGeneralPath("a scoped context that is not one object")
    return scope
