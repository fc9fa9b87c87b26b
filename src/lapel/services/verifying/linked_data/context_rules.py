"""The check ``contexts``: the right ones, in the right order, all known, and none that gives a name a new meaning.

A proof over RDF does not cover ``@context``. Whoever holds a badge can exchange it, and a context of their own could
call the name the description. So a badge's own contexts may add terms, and may not touch what is defined already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Final

from lapel.credentials.jsonld import Contexts
from lapel.domain.json import JsonObject, JsonValue
from lapel.services.verifying.data_model.rules import CONTEXT_1, CONTEXT_2
from lapel.services.verifying.data_model.structure import is_badge, is_endorsement
from lapel.services.verifying.linked_data.spelling import expanded, is_reserved, nodes_of, prefixes_of
from lapel.services.verifying.members import as_list, objects, types_of
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, made

__all__ = ["check_contexts"]

_contexts: Final = partial(made, CheckCode.CONTEXTS)

_BADGE_CONTEXT: Final = "https://purl.imsglobal.org/spec/ob/v3p0/context"
_HARMLESS: Final = frozenset({"@version", "@protected"})
_DEFINITION: Final = frozenset({"@id", "@type", "@container", "@language", "@direction", "@protected", "@prefix"})
_CONTAINERS: Final = frozenset({"@list", "@set", "@language"})
_NESTED: Final = (CONTEXT_1, CONTEXT_2, _BADGE_CONTEXT, "https://w3id.org/security/")


def check_contexts(credential: JsonObject, *, contexts: Contexts, signed_as_json: bool) -> Check:
    """The check ``contexts``.

    Args:
        signed_as_json: a token signs the very JSON, contexts included; then an unknown context, or one that gives a
            new meaning, is the issuer's own doing, and only worth a warning.
    """
    given = as_list(credential.get("@context"))
    if not given or given[0] not in (CONTEXT_1, CONTEXT_2):
        sentence = "The first context must be that of Verifiable Credentials."
        return _contexts(Outcome.FAIL, sentence, Problem.CONTEXT_MISSING, str(given[0])[:200] if given else None)
    badge_context = any(isinstance(item, str) and item.startswith(_BADGE_CONTEXT) for item in given)
    of_open_badges = is_badge(credential) or is_endorsement(credential)
    if of_open_badges and not badge_context:
        sentence = "The badge lacks the context of Open Badges."
        return _contexts(Outcome.FAIL, sentence, Problem.CONTEXT_MISSING)
    outcome = Outcome.WARN if signed_as_json else Outcome.FAIL
    unknown = [item for item in given if isinstance(item, str) and not contexts.knows(item)]
    if unknown:
        sentence = "The badge uses a context that is not known here, and contexts are never fetched."
        return _contexts(outcome, sentence, Problem.CONTEXT_UNKNOWN, ", ".join(unknown)[:400])
    looks_like_one = any("achievement" in subject for subject in objects(credential.get("credentialSubject")))
    presents = "VerifiablePresentation" in types_of(credential)
    redefined = None
    if of_open_badges or looks_like_one or presents:
        # What is in a presentation is looked at by itself, with its own contexts.
        redefined = _redefined(credential, contexts, only_its_own=signed_as_json or presents)
    if redefined is not None:
        sentence = "The badge brings along a context that changes what the usual names mean."
        return _contexts(outcome, sentence, Problem.CONTEXT_REDEFINES, redefined[:200])
    return _contexts(Outcome.PASS, "The badge uses contexts that are known here.")


def _redefined(credential: JsonObject, contexts: Contexts, *, only_its_own: bool) -> str | None:
    """What a context of the badge's own does that it may not.

    Args:
        only_its_own: leave out those further down.
    """
    given = as_list(credential.get("@context"))
    pinned = tuple(sorted({item for item in given if isinstance(item, str)}))
    names, prefixes = _terms(contexts, pinned), prefixes_of(credential)
    problems = (_beyond_adding(item, names, prefixes) for item in given if not isinstance(item, str))
    found = next((problem for problem in problems if problem is not None), None)
    if found is not None or only_its_own:
        return found
    for node in nodes_of(credential):
        if "@context" not in node or node is credential:
            continue
        inner = node["@context"]
        for item in as_list(inner) if inner is not None else (None,):
            if isinstance(item, str):
                if item not in pinned and not item.startswith(_NESTED):
                    return item
            elif (problem := _beyond_adding(item, names, prefixes)) is not None:
                return problem
    return None


def _beyond_adding(context: JsonValue, names: frozenset[str], prefixes: Mapping[str, str]) -> str | None:
    """What an inline context does beside adding terms; None if nothing."""
    if not isinstance(context, Mapping):
        return "null" if context is None else str(context)
    for name, definition in context.items():
        if name in _HARMLESS:
            continue
        if name in names or name.startswith("@") or ":" in name or not _adds(definition, prefixes):
            return name
    return None


def _adds(definition: JsonValue, prefixes: Mapping[str, str]) -> bool:
    if isinstance(definition, Mapping):
        containers = {item if isinstance(item, str) else "" for item in as_list(definition.get("@container"))}
        if definition.keys() - _DEFINITION or containers - _CONTAINERS:
            return False
        definition = definition.get("@id")
    # A second name for a keyword or for a term of the standards is a way to hide it.
    return (
        isinstance(definition, str)
        and not definition.startswith("@")
        and not is_reserved(expanded(definition, prefixes))
    )


@lru_cache(maxsize=64)
def _terms(contexts: Contexts, pinned: tuple[str, ...]) -> frozenset[str]:
    """Every name that these contexts, and those of the standards, give a meaning, at whatever depth."""
    standard = {url for url in contexts.urls() if url in (CONTEXT_1, CONTEXT_2) or url.startswith(_BADGE_CONTEXT)}
    return frozenset(name for url in standard | set(pinned) for name in _names(contexts.document(url).get("@context")))


def _names(context: JsonValue) -> Iterator[str]:
    for item in objects(context):
        for name, definition in item.items():
            if not name.startswith("@"):
                yield name
            if isinstance(definition, Mapping):
                yield from _names(definition.get("@context"))
