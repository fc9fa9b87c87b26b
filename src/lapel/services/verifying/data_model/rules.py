"""The rules of the Verifiable Credentials Data Model: 2.0, sections 4 and 5, and 1.1, sections 4 and 5.

Every problem is a FieldError with the member's JSON Pointer. Whether the names in a document have a meaning is checked
elsewhere (`lapel.services.verifying.linked_data`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from lapel.credentials.bitstring_status_list import ENTRY_TYPE, InvalidStatusEntry, parse_entry
from lapel.credentials.date_time import parse_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import absolute_iri, as_list, id_of, object_of, types_of
from lapel.errors import FieldError

__all__ = [
    "CONTEXT_1",
    "CONTEXT_2",
    "context_problems",
    "credential_problems",
    "further_problems",
    "is_first_version",
    "items",
    "naming_problems",
    "presentation_problems",
    "subject_problems",
]

CONTEXT_1: Final = "https://www.w3.org/2018/credentials/v1"
CONTEXT_2: Final = "https://www.w3.org/ns/credentials/v2"
_CREDENTIAL: Final = "VerifiableCredential"
_PRESENTATION: Final = "VerifiablePresentation"

_OFFSET: Final = re.compile(r"(?:Z|[+-]\d\d:\d\d)$", re.ASCII)
_LANGUAGE_VALUE: Final = frozenset({"@value", "@language", "@direction"})
_LANGUAGE_TAG: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*").fullmatch
_DIRECTIONS: Final = ("ltr", "rtl")
_OPTIONAL_ID: Final = ("credentialStatus", "refreshService", "termsOfUse", "evidence")
_FURTHER: Final = ("credentialStatus", "refreshService", "termsOfUse", "evidence", "credentialSchema")
_SETS: Final = ("refreshService", "termsOfUse", "evidence", "credentialSchema", "relatedResource")
_RESERVED: Final = ("confidenceMethod", "renderMethod")
_HASH: Final = r"sha(?:256|384|512)-[A-Za-z0-9+/_-]+={0,2}"  # Subresource Integrity, 3.5 (hash-expression)
_DIGESTS: Final = {
    "digestSRI": re.compile(rf"{_HASH}(?: +{_HASH})*").fullmatch,
    # Controlled Identifiers 1.0, 2.4, defines the bases `u` and `z`, and allows others.
    "digestMultibase": re.compile(r"u[\w-]+|z[1-9A-HJ-NP-Za-km-z]+|[^\W_uz][\w+/=-]+", re.ASCII).fullmatch,
}
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE: Final = re.compile(rf"{_NAME}/{_NAME}(?: *;.*)?", re.ASCII).fullmatch  # RFC 6838, 4.2


def credential_problems(credential: JsonObject, *, strict: bool) -> Iterator[FieldError]:
    """Yield the problems of a credential of either version, in the order of the specification's sections.

    Args:
        strict: for a credential to be issued: refuse times without an offset, which verifiers read as UTC, and empty
            arrays, which say nothing.
    """
    first = is_first_version(credential)
    yield from _common(credential, _CREDENTIAL)
    yield from _identified(credential, "issuer", required=True)
    yield from naming_problems(credential)
    yield from subject_problems(credential.get("credentialSubject"))
    yield from _period(credential, first=first, strict=strict)
    for name in _OPTIONAL_ID:
        yield from _typed(credential, name, id_required=first and name in ("credentialStatus", "refreshService"))
    yield from _status_entries(credential)
    yield from _typed(credential, "credentialSchema", id_required=True)
    yield from _of_second_version(credential)
    if strict:
        yield from (_bad(f"/{name}", "must not be empty") for name in _SETS if credential.get(name) == [])


def further_problems(credential: JsonObject) -> Iterator[FieldError]:
    """Yield the problems of the members that may be missing, from status and schema to related resources."""
    for name in _FURTHER:
        if credential.get(name) is not None:
            yield from _typed(credential, name, id_required=name == "credentialSchema")
    yield from _of_second_version(credential)


def naming_problems(credential: JsonObject) -> Iterator[FieldError]:
    """Yield the problems of the names and descriptions of a credential and its issuer (2.0, 4.6)."""
    for pointer, holder in (("", credential), ("/issuer", object_of(credential.get("issuer")))):
        yield from _language_value(holder, pointer, "name")
        yield from _language_value(holder, pointer, "description")


def presentation_problems(presentation: JsonObject) -> Iterator[FieldError]:
    """Yield the problems of a presentation, except those of its credentials."""
    yield from _common(presentation, _PRESENTATION)
    yield from _identified(presentation, "holder", required=False)
    yield from _typed(presentation, "termsOfUse", id_required=False)
    if "verifiableCredential" in presentation:
        for pointer, held in items("/verifiableCredential", presentation["verifiableCredential"]):
            if not isinstance(held, Mapping):
                yield _bad(pointer, "must be an object: a credential, or one in an envelope")


def is_first_version(document: JsonObject) -> bool:
    """Return whether it is a document of Verifiable Credentials 1.1."""
    return next(iter(as_list(document.get("@context"))), None) == CONTEXT_1


def _common(document: JsonObject, kind: str) -> Iterator[FieldError]:
    contexts = document.get("@context")
    if contexts is None:
        yield _missing("/@context")
    elif isinstance(contexts, list) and (not contexts or contexts[0] not in (CONTEXT_1, CONTEXT_2)):
        yield _bad("/@context/0", f"must be {CONTEXT_2}")
    else:
        yield from context_problems(contexts)
    if "id" in document and not absolute_iri(document["id"]):
        yield _bad("/id", "must be one URL")
    yield from _types(document, kind)


def context_problems(contexts: JsonValue) -> Iterator[FieldError]:
    """Yield the problems of the form of ``@context`` (2.0, 4.3), without checking which context is first."""
    if not isinstance(contexts, list):
        yield _bad("/@context", "must be an array")
        return
    for index, item in enumerate(contexts):
        if not isinstance(item, Mapping) and not absolute_iri(item):
            yield _bad(f"/@context/{index}", "must be a URL or an object")


def _types(document: JsonObject, kind: str) -> Iterator[FieldError]:
    if document.get("type") is None:
        yield _missing("/type")
        return
    for index, item in enumerate(as_list(document["type"])):
        if not isinstance(item, str) or not item:
            yield _bad(f"/type/{index}", "must be a term or a URL")
    if kind not in types_of(document):
        yield _bad("/type", f"must include {kind}")


def _identified(document: JsonObject, name: str, *, required: bool) -> Iterator[FieldError]:
    if name not in document:
        if required:
            yield _missing(f"/{name}")
    elif isinstance(document[name], Mapping):
        if not absolute_iri(id_of(document[name])):
            yield _bad(f"/{name}/id", "must be a URL")
    elif not absolute_iri(document[name]):
        yield _bad(f"/{name}", "must be a URL, or an object whose id is one")


def subject_problems(value: JsonValue) -> Iterator[FieldError]:
    """Yield the problems of a credential's subjects (2.0, 4.8)."""
    if value is None:
        yield _missing("/credentialSubject")
        return
    if not as_list(value):
        yield _bad("/credentialSubject", "must not be empty")
    for pointer, subject in items("/credentialSubject", value):
        if not isinstance(subject, Mapping) or not subject:
            yield _bad(pointer, "must be an object with at least one claim")
        elif "id" in subject and not absolute_iri(subject["id"]):
            yield _bad(f"{pointer}/id", "must be one URL")


def _period(credential: JsonObject, *, first: bool, strict: bool) -> Iterator[FieldError]:
    start_name, end_name = ("issuanceDate", "expirationDate") if first else ("validFrom", "validUntil")
    if first and credential.get(start_name) is None:
        yield _missing(f"/{start_name}")
    for name in (start_name, end_name):
        if name not in credential:
            continue
        value = credential[name]
        if parse_timestamp(value) is None or (strict and not _OFFSET.search(str(value))):
            yield _bad(f"/{name}", "must be a date and time with an offset, such as 2026-01-31T12:00:00Z")
    start, end = parse_timestamp(credential.get(start_name)), parse_timestamp(credential.get(end_name))
    if start is not None and end is not None and end < start:
        yield FieldError(f"/{end_name}", f"must not be before {start_name}", "out_of_range")


def _typed(document: JsonObject, name: str, *, id_required: bool) -> Iterator[FieldError]:
    """Yield the problems of objects that must have a type (2.0, 4.5), and may or must have an id."""
    if name not in document:
        return
    for pointer, item in items(f"/{name}", document[name]):
        if not isinstance(item, Mapping):
            yield _bad(pointer, "must be an object with a type")
            continue
        kinds = as_list(item.get("type"))
        if not kinds or not all(isinstance(kind, str) and kind for kind in kinds):
            yield _bad(f"{pointer}/type", "must be a term or a URL, or several")
        if ("id" in item or id_required) and not absolute_iri(item.get("id")):
            yield _bad(f"{pointer}/id", "must be one URL")


def _status_entries(credential: JsonObject) -> Iterator[FieldError]:
    """Yield the problems of status entries, whose errors are malformed values (Bitstring Status List 1.0, 2.1, 3)."""
    if "credentialStatus" not in credential:
        return
    for pointer, item in items("/credentialStatus", credential["credentialStatus"]):
        if isinstance(item, Mapping) and ENTRY_TYPE in types_of(item):
            try:
                parse_entry({**item, "type": ENTRY_TYPE})
            except InvalidStatusEntry as error:
                yield _bad(pointer, f"is no {ENTRY_TYPE}: {error.detail}")


def _of_second_version(credential: JsonObject) -> Iterator[FieldError]:
    """Yield the problems of members that only 2.0 has: those that it reserves (5.10), and related resources (5.3)."""
    if is_first_version(credential):
        return
    for name in _RESERVED:
        yield from _typed(credential, name, id_required=False)
    yield from _related_resources(credential)


def _related_resources(credential: JsonObject) -> Iterator[FieldError]:
    """Yield the problems of related resources: each must be unique, and have a digest (2.0, 5.3)."""
    if "relatedResource" not in credential:
        return
    seen: set[str] = set()
    for pointer, item in items("/relatedResource", credential["relatedResource"]):
        name = id_of(item) if isinstance(item, Mapping) else None
        if not isinstance(item, Mapping) or name is None or not absolute_iri(name):
            yield _bad(f"{pointer}/id", "must be a URL")
            continue
        if name in seen:
            yield _bad(f"{pointer}/id", "must not repeat an earlier one")
        seen.add(name)
        yield from _digest_problems(item, pointer)
        media_type = item.get("mediaType", "image/png")
        if not isinstance(media_type, str) or not _MEDIA_TYPE(media_type):
            yield _bad(f"{pointer}/mediaType", "must be a media type, such as image/png")


def _digest_problems(resource: JsonObject, pointer: str) -> Iterator[FieldError]:
    if resource.keys().isdisjoint(_DIGESTS):
        yield _bad(pointer, "must have a digestSRI or a digestMultibase")
    for name, is_digest in _DIGESTS.items():
        digests = as_list(resource.get(name))
        if name in resource and not (digests and all(isinstance(item, str) and is_digest(item) for item in digests)):
            yield _bad(f"{pointer}/{name}", "must be a digest, or an array of some")


def _language_value(holder: JsonObject, pointer: str, name: str) -> Iterator[FieldError]:
    """Yield the problems of a text, which may be a string or have a language and direction (2.0, 4.6 and 11.1)."""
    if name not in holder:
        return
    for where, item in items(f"{pointer}/{name}", holder[name]):
        if isinstance(item, str):
            continue
        if not isinstance(item, Mapping) or item.keys() - _LANGUAGE_VALUE or not isinstance(item.get("@value"), str):
            yield _bad(where, "must be a text, or an object with @value, @language and @direction alone")
            continue
        language = item.get("@language", "en")
        if not isinstance(language, str) or not _LANGUAGE_TAG(language):
            yield _bad(f"{where}/@language", "must be a language tag, such as en or pt-BR")
        if item.get("@direction", "ltr") not in _DIRECTIONS:
            yield _bad(f"{where}/@direction", f"must be {' or '.join(_DIRECTIONS)}")


def items(pointer: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    """Yield the items of an array, or a single value, each with its pointer."""
    if isinstance(value, list):
        yield from ((f"{pointer}/{index}", item) for index, item in enumerate(value))
    else:
        yield pointer, value


def _missing(pointer: str) -> FieldError:
    return FieldError(pointer, "is missing", "missing")


def _bad(pointer: str, detail: str) -> FieldError:
    return FieldError(pointer, detail)
