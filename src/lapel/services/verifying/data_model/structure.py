"""The check ``structure``: whether the credential has the members that its specification requires, with valid values.

OB 3.0, appendix B (AchievementCredential and the classes in it) and 9.1, step 1; VC Data Model 2.0, section 4, and 1.1.
Optional members must follow VC 2.0's rules for all of them, mostly that they have a type, and have values of the kind
that Open Badges 3.0 requires (`kinds`). An issuer's extensions are allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Final

from lapel.credentials.date_time import parse_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import absolute_iri, as_list, object_of, text_of, types_of
from lapel.errors import FieldError
from lapel.services.verifying.data_model.kinds import kind_problems
from lapel.services.verifying.data_model.rules import (
    CONTEXT_1,
    context_problems,
    further_problems,
    is_first_version,
    naming_problems,
    subject_problems,
)
from lapel.services.verifying.recipient import is_identity_hash
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = [
    "BADGE_TYPES",
    "ENDORSEMENT_TYPE",
    "check_structure",
    "is_badge",
    "is_endorsement",
    "too_many_items",
]

BADGE_TYPES: Final = frozenset({"OpenBadgeCredential", "AchievementCredential"})
ENDORSEMENT_TYPE: Final = "EndorsementCredential"
_MAX_SHOWN: Final = 8
_MAX_ITEMS: Final = 1_000
# Members that have few values by the standards. Evidence, results and alignments may have many.
_FEW: Final = (
    *("@context", "type", "issuer", "credentialSubject", "credentialStatus", "credentialSchema", "refreshService"),
    *("termsOfUse", "proof", "identifier", "otherIdentifier", "achievement", "endorsement", "endorsementJwt"),
)

_Finding = tuple[Problem, str]


def is_badge(credential: JsonObject) -> bool:
    """Return whether it is an Open Badge 3.0 by its type."""
    return not BADGE_TYPES.isdisjoint(types_of(credential))


def is_endorsement(credential: JsonObject) -> bool:
    """Return whether it is an endorsement of Open Badges 3.0 by its type."""
    return ENDORSEMENT_TYPE in types_of(credential)


def too_many_items(credential: JsonObject) -> Check | None:
    """Return the failed structure check of a credential with far too many items in a member; None otherwise.

    The members that should have few values are read repeatedly, so a thousand items are an attack.
    """
    subject = object_of(credential.get("credentialSubject"))
    holders = (
        ("", credential),
        ("issuer.", object_of(credential.get("issuer"))),
        ("credentialSubject.", subject),
        ("credentialSubject.achievement.", object_of(subject.get("achievement"))),
    )
    for where, holder in holders:
        for name in _FEW:
            if len(as_list(holder.get(name))) > _MAX_ITEMS:
                return Check(
                    code=CheckCode.STRUCTURE,
                    outcome=Outcome.FAIL,
                    sentence=f"The credential has more than {_MAX_ITEMS:,} items where there should be a few.",
                    problem=Problem.TOO_COMPLEX,
                    detail=f"{where}{name}",
                )
    return None


def check_structure(credential: JsonObject) -> Check:
    """Return the structure check of a VC 2.0 or 1.1 credential, with the rules of OB 3.0 if it is a badge."""
    badge, endorsement = is_badge(credential), is_endorsement(credential)
    all_findings = chain(
        _as_findings(context_problems(credential["@context"])) if "@context" in credential else (),
        _credential_findings(credential),
        _badge_findings(credential) if badge else (),
        _endorsement_findings(credential) if endorsement else (),
        () if badge or endorsement else _other_findings(credential),
        _as_findings(further_problems(credential)),
        _as_findings(kind_problems(credential, "AchievementCredential")) if badge else (),
        _as_findings(kind_problems(credential, ENDORSEMENT_TYPE)) if endorsement else (),
    )
    # The generators stop after the first few, so that a document with many problems costs little.
    findings = list(islice(all_findings, _MAX_SHOWN))
    if findings:
        problem, sentence = findings[0]
        return Check(
            code=CheckCode.STRUCTURE,
            outcome=Outcome.FAIL,
            sentence=_other_document_sentence(credential)
            or f"The credential is not built as its specification requires: {sentence}.",
            problem=problem,
            detail="; ".join(text for _, text in findings),
        )
    if not badge and not endorsement:
        return Check(
            code=CheckCode.STRUCTURE,
            outcome=Outcome.WARN,
            sentence="This is a verifiable credential, but not an Open Badge.",
            problem=Problem.NOT_A_BADGE,
        )
    return Check(
        code=CheckCode.STRUCTURE,
        outcome=Outcome.PASS,
        sentence="The credential has everything that Open Badges 3.0 requires.",
    )


def _other_document_sentence(document: JsonObject) -> str | None:
    """Return a sentence for people about a document that is not a credential, such as what a badge refers to."""
    types = types_of(document)
    if "VerifiableCredential" in types:
        return None
    if types & {"Achievement", "BadgeClass"}:
        return "This describes what can be earned; it is no badge that somebody has earned."
    if types & {"Profile", "Issuer"}:
        return "This describes who awards badges; it is no badge itself."
    return "This is no verifiable credential, and so no Open Badge."


def _credential_findings(credential: JsonObject) -> Iterator[_Finding]:
    first = next(iter(as_list(credential.get("@context"))), None)
    if "VerifiableCredential" not in types_of(credential):
        yield _missing("type", "type has no VerifiableCredential")
    yield from _texts(credential, "type")
    if "id" in credential and not absolute_iri(credential["id"]):
        yield _wrong("id", "must be a URI")
    issuer = credential.get("issuer")
    if issuer is None:
        yield _missing("issuer")
    elif not absolute_iri(issuer.get("id") if isinstance(issuer, Mapping) else issuer):
        yield _wrong("issuer", "must be a URI, or an object whose id is one")
    if not isinstance(credential.get("credentialSubject"), Mapping | list):
        yield _missing("credentialSubject")
    if first == CONTEXT_1:
        yield from _date(credential, "issuanceDate", required=True)
    for name in ("validFrom", "validUntil", "expirationDate"):
        yield from _date(credential, name)


def _open_badges_findings(credential: JsonObject, subject_type: str) -> Iterator[_Finding]:
    if credential.get("id") is None:
        yield _missing("id")
    if credential.get("validFrom") is None and credential.get("issuanceDate") is None:
        yield _missing("validFrom")
    subject = credential.get("credentialSubject")
    if not isinstance(subject, Mapping):
        yield _wrong("credentialSubject", "must be one object")
    elif subject_type not in types_of(subject):
        yield _missing("credentialSubject.type", f"credentialSubject.type has no {subject_type}")


def _endorsement_findings(credential: JsonObject) -> Iterator[_Finding]:
    yield from _open_badges_findings(credential, "EndorsementSubject")
    subject = credential.get("credentialSubject")
    if isinstance(subject, Mapping) and not absolute_iri(subject.get("id")):
        yield _wrong("credentialSubject.id", "must be a URI")


def _badge_findings(credential: JsonObject) -> Iterator[_Finding]:
    yield from _open_badges_findings(credential, "AchievementSubject")
    subject = credential.get("credentialSubject")
    if not isinstance(subject, Mapping):
        return
    if subject.get("id") is None and not as_list(subject.get("identifier")):
        yield _missing("credentialSubject.id", "credentialSubject has neither an id nor an identifier")
    if subject.get("id") is not None and not absolute_iri(subject["id"]):
        yield _wrong("credentialSubject.id", "must be a URI")
    for identifier in as_list(subject.get("identifier")):
        yield from _identity(identifier)
    yield from _achievement(subject.get("achievement"))


def _identity(value: JsonValue) -> Iterator[_Finding]:
    where = "credentialSubject.identifier"
    if not isinstance(value, Mapping):
        yield _wrong(where, "must be an object")
        return
    if "IdentityObject" not in types_of(value):
        yield _missing(f"{where}.type", f"{where}.type has no IdentityObject")
    for name in ("identityHash", "identityType"):
        if text_of(value.get(name)) is None:
            yield _missing(f"{where}.{name}")
    identity, hashed = text_of(value.get("identityHash")), value.get("hashed")
    if not isinstance(hashed, bool):
        yield _wrong(f"{where}.hashed", "must be true or false")
    elif identity is not None and is_identity_hash(identity) is not hashed:
        rule = "must be an IdentityHash, for it is hashed" if hashed else "must be plain, for it is not hashed"
        yield _wrong(f"{where}.identityHash", rule)
    if not isinstance(value.get("salt", ""), str):
        yield _wrong(f"{where}.salt", "must be a text")


def _achievement(value: JsonValue) -> Iterator[_Finding]:
    where = "credentialSubject.achievement"
    if not isinstance(value, Mapping):
        yield _missing(where)
        return
    if "Achievement" not in types_of(value):
        yield _missing(f"{where}.type", f"{where}.type has no Achievement")
    if not absolute_iri(value.get("id")):
        yield _wrong(f"{where}.id", "must be a URI")
    # Only that they are not empty: `kind_problems` checks that they are texts, in one language or several.
    for name in ("name", "description"):
        if not value.get(name):
            yield _missing(f"{where}.{name}")
    criteria = object_of(value.get("criteria"))
    if text_of(criteria.get("id")) is None and not criteria.get("narrative"):
        yield _missing(f"{where}.criteria")


def _date(credential: JsonObject, name: str, *, required: bool = False) -> Iterator[_Finding]:
    if credential.get(name) is None:
        if required:
            yield _missing(name)
    elif parse_timestamp(credential[name]) is None:
        yield _wrong(name, "must be a date and time")


def _texts(value: JsonObject, name: str) -> Iterator[_Finding]:
    if not all(isinstance(item, str) for item in as_list(value.get(name))):
        yield _wrong(name, "must hold texts only")


def _other_findings(credential: JsonObject) -> Iterator[_Finding]:
    subject = credential.get("credentialSubject")
    if isinstance(subject, Mapping | list):
        yield from _as_findings(subject_problems(subject))
    if not is_first_version(credential):
        yield from _as_findings(naming_problems(credential))


def _as_findings(errors: Iterator[FieldError]) -> Iterator[_Finding]:
    for error in errors:
        problem = Problem.MEMBER_MISSING if error.code == "missing" else Problem.MEMBER_INVALID
        yield problem, f"{error.pointer.removeprefix('/')} {error.detail}"


def _missing(name: str, sentence: str | None = None) -> _Finding:
    return Problem.MEMBER_MISSING, sentence or f"{name} is missing"


def _wrong(name: str, rule: str) -> _Finding:
    return Problem.MEMBER_INVALID, f"{name} {rule}"
