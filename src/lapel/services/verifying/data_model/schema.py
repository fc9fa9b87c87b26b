"""The check ``schema``: whether the credential conforms to the JSON Schema that it names (OB 3.0, 9.1, step 1).

Of the schemas in ``credentialSchema``, 1EdTech's own are known, as a table (`schema_classes`). No schema is fetched,
because an untrusted one could cause any amount of work. 1EdTech publishes a strict and a lenient form. A badge needs
only conform to the lenient one, which allows a value instead of an array of one, and texts in several languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, objects, text_of, types_of
from lapel.openbadges import vocabulary
from lapel.openbadges.syntax import language_problem
from lapel.services.verifying.data_model.kinds import VALUES
from lapel.services.verifying.data_model.rules import CONTEXT_1, CONTEXT_2
from lapel.services.verifying.data_model.schema_classes import CLASSES, CLOSED, SINGLE_TYPES
from lapel.services.verifying.data_model.structure import (
    BADGE_TYPES,
    ENDORSEMENT_TYPE,
    is_badge,
    is_endorsement,
)
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check

__all__ = ["check_classes", "check_schema", "schema_problems"]

_check: Final = partial(new_check, CheckCode.SCHEMA)

_VALIDATOR: Final = "1EdTechJsonSchemaValidator2019"
_VALIDATORS: Final = frozenset({_VALIDATOR, "JsonSchema"})  # the second is W3C's, for schemas of any author
_KNOWN: Final = re.compile(
    r"https://purl\.imsglobal\.org/spec/ob/v3p0/schema/json(?:-ld)?"
    r"/ob_v3p0_(?:any)?(achievement|endorsement)credential_schema\.json"
).fullmatch
_CLASS_OF: Final = {"achievement": "AchievementCredential", "endorsement": "EndorsementCredential"}
_RECOGNISED: Final = ((is_badge, "AchievementCredential"), (is_endorsement, "EndorsementCredential"))
_MAX_SHOWN: Final = 8

_BADGE_CONTEXT: Final = re.compile(
    r"https://purl\.imsglobal\.org/spec/ob/v3p0/context(?:-3\.\d\.\d)*\.json", re.ASCII
).fullmatch
_TOKEN: Final = re.compile(r"[a-zA-Z0-9_-]+\.[a-zA-Z0-9_-]*\.[a-zA-Z0-9_-]+").fullmatch
_LANGUAGE_KEY: Final = re.compile(r"[a-z]{2}(?:-[A-Z]{2})?").fullmatch

_TEXTS: Final[Mapping[str, Callable[[str], bool]]] = {
    "text": lambda value: True,
    "token": lambda value: _TOKEN(value) is not None,
    "language": lambda value: language_problem(value) is None,
}
"""The kinds that may also be given in several languages."""

_VALUES: Final[Mapping[str, tuple[str, Callable[[JsonValue], bool]]]] = {
    **VALUES,
    "achievement type": ("an achievement type", lambda value: _is_word(value, vocabulary.ACHIEVEMENT_TYPES)),
    "identifier type": ("an identifier type", lambda value: _is_word(value, vocabulary.IDENTIFIER_TYPES)),
    "result status": ("a result status", lambda value: _is_word(value, vocabulary.RESULT_STATUSES, extensible=False)),
    "result type": ("a result type", lambda value: _is_word(value, vocabulary.RESULT_TYPES)),
    "target type": ("a target type", lambda value: _is_word(value, vocabulary.ALIGNMENT_TARGET_TYPES)),
}


def check_schema(credential: JsonObject) -> Sequence[Check]:
    """Return the check ``schema``; nothing if the credential names no schema."""
    schemas = as_list(credential.get("credentialSchema"))
    if not schemas:
        return ()
    named = [(types_of(schema), text_of(schema.get("id")) or "") for schema in objects(schemas)]
    known = {match[1] for types, name in named if types & _VALIDATORS and (match := _KNOWN(name))}
    for kind in sorted(known):
        if (failed := _check_class(credential, _CLASS_OF[kind], " that it names")) is not None:
            return (failed,)
    if unknown := [name for types, name in named if _VALIDATOR in types and not _KNOWN(name)]:
        sentence = "The badge names a JSON Schema that is not known here, and schemas are never fetched."
        return (_check(Outcome.WARN, sentence, Problem.SCHEMA_UNKNOWN, ", ".join(unknown[:_MAX_SHOWN])[:400]),)
    if not known:
        sentence = "The badge names a schema of a kind that is not looked at here."
        return (_check(Outcome.SKIP, sentence, Problem.NOT_CHECKED, None),)
    return (_check(Outcome.PASS, "The credential conforms to the JSON Schema of Open Badges.", None, None),)


def check_classes(credential: JsonObject) -> Check | None:
    """Return the failed check ``schema`` of a badge or endorsement, even if it names no schema; None if it conforms."""
    names = [name for is_kind, name in _RECOGNISED if is_kind(credential)]
    return next((failed for name in names if (failed := _check_class(credential, name)) is not None), None)


def _check_class(credential: JsonObject, name: str, which: str = "") -> Check | None:
    problems = list(islice(schema_problems(credential, name), _MAX_SHOWN))
    if not problems:
        return None
    sentence = f"The credential does not conform to the JSON Schema of Open Badges{which}."
    return _check(Outcome.FAIL, sentence, Problem.SCHEMA_MISMATCH, "; ".join(problems)[:800])


def schema_problems(value: JsonObject, name: str) -> Iterator[str]:
    """Yield the problems of the object as one of the class `name`, each with its place."""
    yield from _object(value, name, "")


def _object(value: JsonValue, name: str, where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where or '/'} must be an object ({name})"
        return
    members = _members(value, name)
    for member, rule in members.items():
        kind, required, several = rule.rstrip("*!"), rule.endswith("!"), rule.endswith("*")
        place = f"{where}/{member}"
        if member not in value:
            if required:
                yield f"{place} is missing"
            continue
        given = value[member]
        if kind == "type":
            yield from _type(given, name, place)
        elif several and isinstance(given, list):
            for index, item in enumerate(given):
                yield from _value(item, kind, f"{place}/{index}")
        else:
            yield from _value(given, kind, place)
    if name in CLOSED and (others := sorted(value.keys() - members.keys())):
        yield f"{where}/{others[0][:80]} is not a member of {name}"


def _members(value: JsonObject, name: str) -> Mapping[str, str]:
    """Return the class's members; the dates of a credential have other names in the older data model."""
    members = CLASSES[name]
    if name not in _CLASS_OF.values():
        return members
    if next(iter(as_list(value.get("@context"))), None) == CONTEXT_1:
        return {**members, "issuanceDate": "date!", "expirationDate": "date"}
    return {**members, "validFrom": "date!", "validUntil": "date"}


def _value(value: JsonValue, kind: str, where: str) -> Iterator[str]:
    if kind in CLASSES:
        yield from _object(value, kind, where)
    elif kind == "issuer":
        if not isinstance(value, str):
            yield from _object(value, "Profile", where)
    elif kind == "contexts":
        yield from _contexts(value, where)
    elif kind in _TEXTS:
        fits = _TEXTS[kind]
        texts = _languages(value) if isinstance(value, Mapping) else (value,)
        if texts is None or not all(isinstance(text, str) and fits(text) for text in texts):
            yield f"{where} must be a text" if kind == "text" else f"{where} is no {kind}"
    else:
        what, suits = _VALUES[kind]
        if not suits(value):
            yield f"{where} must be {what}"


def _languages(value: JsonObject) -> Sequence[JsonValue] | None:
    """Return the texts of a language map; None if it is not a language map."""
    return list(value.values()) if all(_LANGUAGE_KEY(key) for key in value) else None


def _type(value: JsonValue, name: str, where: str) -> Iterator[str]:
    if name in SINGLE_TYPES:
        if value != name:
            yield f"{where} must be {name}"
        return
    types = as_list(value)
    allowed = {
        "AchievementCredential": BADGE_TYPES,
        "EndorsementCredential": frozenset({ENDORSEMENT_TYPE}),
    }.get(name, frozenset({name}))
    if not all(isinstance(item, str) for item in types):
        yield f"{where} must hold texts only"
    elif allowed.isdisjoint(str(item) for item in types):
        yield f"{where} has no {min(allowed)}"
    elif name in _CLASS_OF.values() and "VerifiableCredential" not in types:
        yield f"{where} has no VerifiableCredential"


def _contexts(value: JsonValue, where: str) -> Iterator[str]:
    contexts = as_list(value)
    if len(contexts) < 2 or contexts[0] not in (CONTEXT_1, CONTEXT_2):
        yield f"{where} must begin with the context of Verifiable Credentials"
    elif not isinstance(contexts[1], str) or not _BADGE_CONTEXT(contexts[1]):
        yield f"{where}/1 must be a context of Open Badges"
    elif not all(isinstance(item, str | Mapping) for item in contexts):
        yield f"{where} must hold texts and objects only"


def _is_word(value: JsonValue, words: frozenset[str], *, extensible: bool = True) -> bool:
    if not isinstance(value, str):
        return False
    return value in words or (extensible and vocabulary.is_extension(value) is not None)
