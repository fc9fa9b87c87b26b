"""The check ``contexts``: they are the right ones, in order, all known, and none redefines a name.

A proof over RDF does not cover ``@context``. A holder can replace it, and a context of their own could exchange the
name and the description. So a badge's own contexts may add terms, but not change terms that are defined already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Final

from lapel.credentials.jsonld import Contexts
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, objects, types_of
from lapel.services.verifying.data_model.rules import CONTEXT_1, CONTEXT_2
from lapel.services.verifying.data_model.structure import is_badge, is_endorsement
from lapel.services.verifying.linked_data.spelling import expanded, is_reserved, nodes_of, prefixes_of
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check

__all__ = ["check_contexts"]

_contexts: Final = partial(new_check, CheckCode.CONTEXTS)

_BADGE_CONTEXT: Final = "https://purl.imsglobal.org/spec/ob/v3p0/context"
_HARMLESS: Final = frozenset({"@version", "@protected"})
_DEFINITION: Final = frozenset({"@id", "@type", "@container", "@language", "@direction", "@protected", "@prefix"})
_CONTAINERS: Final = frozenset({"@list", "@set", "@language"})
_NESTED: Final = (CONTEXT_1, CONTEXT_2, _BADGE_CONTEXT, "https://w3id.org/security/")


def check_contexts(credential: JsonObject, *, contexts: Contexts, signed_as_json: bool) -> Check:
    """Return the check ``contexts``.

    Args:
        signed_as_json: the credential is in a token, which signs the JSON with its contexts. Then an unknown context,
            or one that redefines names, is the issuer's own choice, and only a warning.
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
    has_achievement = any("achievement" in subject for subject in objects(credential.get("credentialSubject")))
    is_presentation = "VerifiablePresentation" in types_of(credential)
    redefined = None
    if of_open_badges or has_achievement or is_presentation:
        # The credentials in a presentation are checked by themselves, with their own contexts.
        redefined = _redefined(credential, contexts, only_outer=signed_as_json or is_presentation)
    if redefined is not None:
        sentence = "The badge brings along a context that changes what the usual names mean."
        return _contexts(outcome, sentence, Problem.CONTEXT_REDEFINES, redefined[:200])
    return _contexts(Outcome.PASS, "The badge uses contexts that are known here.")


def _redefined(credential: JsonObject, contexts: Contexts, *, only_outer: bool) -> str | None:
    """Return the first name or context by which the badge's own contexts do more than add terms.

    Args:
        only_outer: ignore the contexts of nested objects.
    """
    given = as_list(credential.get("@context"))
    pinned = tuple(sorted({item for item in given if isinstance(item, str)}))
    names, prefixes = _terms(contexts, pinned), prefixes_of(credential)
    problems = (_context_problem(item, names, prefixes) for item in given if not isinstance(item, str))
    first = next((problem for problem in problems if problem is not None), None)
    if first is not None or only_outer:
        return first
    for node in nodes_of(credential):
        if "@context" not in node or node is credential:
            continue
        inner = node["@context"]
        for item in as_list(inner) if inner is not None else (None,):
            if isinstance(item, str):
                if item not in pinned and not item.startswith(_NESTED):
                    return item
            elif (problem := _context_problem(item, names, prefixes)) is not None:
                return problem
    return None


def _context_problem(context: JsonValue, names: frozenset[str], prefixes: Mapping[str, str]) -> str | None:
    """Return the first name by which an inline context does more than add terms; None if it only adds terms."""
    if not isinstance(context, Mapping):
        return "null" if context is None else str(context)
    for name, definition in context.items():
        if name in _HARMLESS:
            continue
        if name in names or name.startswith("@") or ":" in name or not _adds_term(definition, prefixes):
            return name
    return None


def _adds_term(definition: JsonValue, prefixes: Mapping[str, str]) -> bool:
    if isinstance(definition, Mapping):
        containers = {item if isinstance(item, str) else "" for item in as_list(definition.get("@container"))}
        if definition.keys() - _DEFINITION or containers - _CONTAINERS:
            return False
        definition = definition.get("@id")
    # A second name for a keyword or for a term of the standards could hide that term.
    return (
        isinstance(definition, str)
        and not definition.startswith("@")
        and not is_reserved(expanded(definition, prefixes))
    )


@lru_cache(maxsize=64)
def _terms(contexts: Contexts, pinned: tuple[str, ...]) -> frozenset[str]:
    """Return every name that these contexts and those of the standards define, at any depth."""
    standard = {url for url in contexts.urls() if url in (CONTEXT_1, CONTEXT_2) or url.startswith(_BADGE_CONTEXT)}
    return frozenset(name for url in standard | set(pinned) for name in _names(contexts.document(url).get("@context")))


def _names(context: JsonValue) -> Iterator[str]:
    for item in objects(context):
        for name, definition in item.items():
            if not name.startswith("@"):
                yield name
            if isinstance(definition, Mapping):
                yield from _names(definition.get("@context"))
