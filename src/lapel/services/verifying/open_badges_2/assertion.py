"""The checks that hosted and signed Open Badges 2.0 have in common ("Data Validation" and "Verification").

These are the checks of their members, badge class, issuer, dates and recipient. An endorsement is verified like an
assertion ("Endorsement"), but has no badge class and no recipient, and names its issuer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from lapel.credentials.date_time import parse_iso_8601
from lapel.domain.fetching import FetchFailed, FetchNotFound
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import absolute_iri, as_list, first_text, id_of, object_of, text_of, types_of
from lapel.errors import LapelError
from lapel.services.verifying.data_model.kinds import kind_problems
from lapel.services.verifying.documents import Documents
from lapel.services.verifying.findings import Findings
from lapel.services.verifying.offloading import offload_if_large
from lapel.services.verifying.open_badges_2.classes import CLASSES
from lapel.services.verifying.open_badges_2.normal_form import read_normalised
from lapel.services.verifying.origins import host_of, is_within
from lapel.services.verifying.recipient import (
    hashed_recipient,
    identity_matches,
    is_by_email_alone,
    is_identity_hash,
    recipient_skipped,
    recipient_verdict,
)
from lapel.services.verifying.report import Check, CheckCode, Kind, Outcome, Problem, Shown, new_check
from lapel.services.verifying.standing.dates import CLOCK_TOLERANCE

__all__ = [
    "Badge",
    "check_assertion",
    "check_assertion_recipient",
    "check_assertion_validity",
    "check_issuer",
    "follow_links",
    "is_endorsement_2",
    "is_hosted",
    "is_open_badge_2",
    "is_verified_by_host",
    "misplaced_address",
    "missing_in_endorsement",
    "revoked_check",
    "shown_assertion",
    "verification_of",
]

_CONTEXTS: Final = ("https://w3id.org/openbadges/v2", "https://openbadgespec.org/v2/context.json")
_HOSTED_TYPES: Final = frozenset({"HostedBadge", "hosted"})
_SIGNED_TYPES: Final = frozenset({"SignedBadge", "signed"})
_MAX_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """The three documents of a badge; an unknown one is empty.

    Attributes:
        assertion: the assertion, or an endorsement, which has no badge class.
    """

    assertion: JsonObject
    badge_class: JsonObject
    issuer: JsonObject


def is_open_badge_2(document: JsonObject) -> bool:
    """Return whether it is an assertion of OB 2.0, or has the context of OB 2.0.

    Of a revoked assertion, there may be nothing left but ``id`` and ``revoked`` ("Assertion").
    """
    contexts = as_list(document.get("@context"))
    if not contexts and document.get("revoked") is True and "id" in document:
        return True
    return "Assertion" in types_of(document) or any(context in _CONTEXTS for context in contexts)


def is_endorsement_2(document: JsonObject) -> bool:
    """Return whether it is an Endorsement of OB 2.0, and not an assertion."""
    types = types_of(document)
    return is_open_badge_2(document) and "Endorsement" in types and "Assertion" not in types


def is_hosted(assertion: JsonObject) -> bool:
    """Return whether its ``verification`` says that it is hosted."""
    return not types_of(verification_of(assertion)).isdisjoint(_HOSTED_TYPES)


def is_verified_by_host(document: JsonObject) -> bool:
    """Return whether an unsigned document is verified by its host: it says that it is hosted, or is an endorsement.

    Without ``verification``, an endorsement counts as hosted, and so does a revoked assertion, which may lack it.
    """
    may_lack_it = "Endorsement" in types_of(document) or document.get("revoked") is True
    return is_hosted(document) or (may_lack_it and not verification_of(document))


def verification_of(assertion: JsonObject) -> JsonObject:
    """Return the assertion's VerificationObject; empty if it has none."""
    return object_of(assertion.get("verification"))


def check_assertion(assertion: JsonObject) -> Check:
    """Return the check ``structure`` of an assertion, or an endorsement."""
    endorsement = is_endorsement_2(assertion)
    kind = "Endorsement" if endorsement else "Assertion"
    if missing := missing_in_endorsement(assertion) if endorsement else _missing_in_assertion(assertion):
        return _malformed(CheckCode.STRUCTURE, kind.lower(), missing, "is missing or wrong", Problem.MEMBER_MISSING)
    if wrong := _wrong_kinds(assertion, kind):
        return _malformed(CheckCode.STRUCTURE, kind.lower(), wrong, "cannot be used", Problem.MEMBER_INVALID)
    sentence = f"The {kind.lower()} has everything that Open Badges 2.0 requires."
    return new_check(CheckCode.STRUCTURE, Outcome.PASS, sentence, None)


def _malformed(code: CheckCode, name: str, members: Sequence[str], fault: str, problem: Problem) -> Check:
    sentence = f"The {name} is not built as Open Badges 2.0 requires: {members[0]} {fault}."
    return new_check(code, Outcome.FAIL, sentence, problem, ", ".join(members))


def _wrong_kinds(document: JsonObject, kind: str) -> Sequence[str]:
    """Return the first members, at any depth, with values that the vocabulary does not allow ("Data Validation")."""
    problems = islice(kind_problems(document, kind, kinds=CLASSES), _MAX_SHOWN)
    return [problem.pointer.removeprefix("/") for problem in problems]


def _missing_in_assertion(assertion: JsonObject) -> Sequence[str]:
    if assertion.get("revoked") is True:  # "Assertion": only `revoked` and `id` are required then
        return _wrong(("id", absolute_iri(assertion.get("id"))))
    recipient = object_of(assertion.get("recipient"))
    identity, hashed = text_of(recipient.get("identity")), recipient.get("hashed")
    return _wrong(
        ("@context", bool(as_list(assertion.get("@context")))),
        ("id", absolute_iri(assertion.get("id"))),
        ("type", "Assertion" in types_of(assertion)),
        ("recipient", bool(types_of(recipient)) and identity is not None),
        ("recipient.hashed", isinstance(hashed, bool)),
        ("recipient.identity", hashed not in (True, False) or is_identity_hash(identity or "") is hashed),
        ("badge", absolute_iri(id_of(assertion.get("badge")))),
        ("verification", not types_of(verification_of(assertion)).isdisjoint(_HOSTED_TYPES | _SIGNED_TYPES)),
        ("issuedOn", parse_iso_8601(assertion.get("issuedOn")) is not None),
    )


def missing_in_endorsement(endorsement: JsonObject) -> Sequence[str]:
    """Return the members that are missing or wrong in an endorsement.

    ``issuedOn`` and ``verification`` may be missing, as in the standard's own examples.
    """
    issued = endorsement.get("issuedOn")
    return _wrong(
        ("type", "Endorsement" in types_of(endorsement)),
        ("id", absolute_iri(endorsement.get("id"))),
        ("claim", absolute_iri(id_of(endorsement.get("claim")))),
        ("issuer", absolute_iri(id_of(endorsement.get("issuer")))),
        ("issuedOn", issued is None or parse_iso_8601(issued) is not None),
    )


def _wrong(*members: tuple[str, bool]) -> Sequence[str]:
    return [name for name, is_right in members if not is_right]


async def follow_links(
    assertion: JsonObject, documents: Documents, findings: Findings, *, signed: bool = False
) -> tuple[Badge, Check]:
    """Get the badge class and issuer of an assertion or endorsement. Return the documents, and the check ``issuer``.

    The check ``badge_class`` is added to the findings.

    Args:
        signed: the assertion is signed, and with it an embedded badge class, which is not fetched then.
    """
    badge_class: JsonObject = {}
    with_issuer = assertion
    if not is_endorsement_2(assertion):
        badge_class, check = await _check_badge_class(assertion.get("badge"), documents, signed=signed)
        findings.add(check)
        with_issuer = badge_class
    issuer, check = await check_issuer(with_issuer.get("issuer"), documents)
    return Badge(assertion=assertion, badge_class=badge_class, issuer=issuer), check


async def _check_badge_class(value: JsonValue, documents: Documents, *, signed: bool) -> tuple[JsonObject, Check]:
    """Return the badge class that ``badge`` links or embeds, and its check. For `signed` see `follow_links`."""
    embedded = object_of(value)
    if signed and "issuer" in embedded:
        document, check = (
            embedded,
            new_check(CheckCode.BADGE_CLASS, Outcome.PASS, "The badge class is in the badge.", None),
        )
    else:
        document, check = await _linked(CheckCode.BADGE_CLASS, value, documents)
    return document, await offload_if_large(document, _check_members, check, document, "BadgeClass")


async def check_issuer(value: JsonValue, documents: Documents) -> tuple[JsonObject, Check]:
    """Return the issuer's profile for a badge class's ``issuer``, always as published now, and its check."""
    document, check = await _linked(CheckCode.ISSUER, value, documents)
    return document, await offload_if_large(document, _check_members, check, document, "Profile")


async def _linked(code: CheckCode, value: JsonValue, documents: Documents) -> tuple[JsonObject, Check]:
    """Return the document at a link, or at the id of an embedded object, and its check."""
    address = id_of(value) or ""
    name = "badge class" if code is CheckCode.BADGE_CLASS else "issuer"
    embedded = object_of(value)
    if not address:
        return embedded, new_check(code, Outcome.UNKNOWN, f"The {name} is not known.", Problem.NOT_CHECKED)
    try:
        fetched = await documents.get(address)
        document = await read_normalised(fetched.body)
    except FetchNotFound as error:
        sentence = f"The {name} is not published."
        return embedded, new_check(code, Outcome.FAIL, sentence, Problem.HOSTED_MISSING, error.detail)
    except FetchFailed as error:
        sentence = f"The {name} cannot be fetched."
        return embedded, new_check(code, Outcome.UNKNOWN, sentence, Problem.UNREACHABLE, error.detail)
    except LapelError as error:
        sentence = f"The {name} cannot be read."
        return embedded, new_check(code, Outcome.FAIL, sentence, Problem.DOCUMENT_INVALID, error.detail)
    if code is CheckCode.ISSUER and host_of(fetched.url) != host_of(address):
        # A redirect to another host may have been set up by somebody who does not control the first host.
        sentence = "The issuer's address leads to another host."
        return document, new_check(code, Outcome.FAIL, sentence, Problem.HOSTED_ELSEWHERE, fetched.url)
    if document.get("id") != address:
        sentence = f"The {name} says that it is another one."
        return document, new_check(code, Outcome.FAIL, sentence, Problem.DOCUMENT_ID, str(document.get("id"))[:200])
    if not as_list(document.get("@context")):  # without one, JSON has no meaning as linked data
        return document, _malformed(code, name, ["@context"], "is missing", Problem.MEMBER_MISSING)
    return document, new_check(code, Outcome.PASS, f"The {name} is published at its own address.", None)


def _is_text(value: JsonValue) -> bool:
    """Return whether it is a text, or one in several languages ("Internationalization and Multilingual Badges")."""
    translations = [object_of(item) for item in as_list(value)]
    return text_of(value) is not None or (
        bool(translations) and all("@language" in item and text_of(item.get("@value")) for item in translations)
    )


def _is_node(value: JsonValue) -> bool:
    return absolute_iri(id_of(value))


# The members that OB 2.0 requires in each class, and functions that recognise their values ("Data Validation").
_REQUIRED: Final[Mapping[str, Mapping[str, Callable[[JsonValue], bool]]]] = {
    "BadgeClass": {
        "name": _is_text,
        "description": _is_text,
        "image": _is_node,
        "criteria": lambda value: _is_node(value) or _is_text(object_of(value).get("narrative")),
        "issuer": _is_node,
    },
    "Profile": {
        "name": _is_text,
        "url": absolute_iri,
        "email": lambda value: "@" in (text_of(value) or ""),
    },
}


def _check_members(check: Check, document: JsonObject, kind: str) -> Check:
    """Return `check`, or a failed one if the document's class or members are wrong."""
    if check.outcome is not Outcome.PASS:
        return check
    name = "badge class" if check.code is CheckCode.BADGE_CLASS else "issuer"
    members = _REQUIRED[kind]
    types = types_of(document)
    if kind not in types and not (kind == "Profile" and "Issuer" in types):
        sentence = f"What is published as the {name} is none."
        return new_check(check.code, Outcome.FAIL, sentence, Problem.DOCUMENT_INVALID, id_of(document))
    if missing := [member for member in members if not document.get(member)]:
        return _malformed(check.code, name, missing, "is missing", Problem.MEMBER_MISSING)
    unusable = [member for member, is_right in members.items() if not is_right(document[member])]
    if wrong := unusable or _wrong_kinds(document, kind):
        return _malformed(check.code, name, wrong, "cannot be used", Problem.MEMBER_INVALID)
    return check


def check_assertion_validity(assertion: JsonObject, *, now: datetime) -> Check:
    """Return the check ``validity``."""
    start, end = (parse_iso_8601(assertion.get(name)) for name in ("issuedOn", "expires"))
    if start is not None and start > now + CLOCK_TOLERANCE:
        sentence = f"It is not valid before {assertion['issuedOn']}."
        return new_check(CheckCode.VALIDITY, Outcome.FAIL, sentence, Problem.NOT_YET_VALID)
    if end is not None and end < now:
        return new_check(CheckCode.VALIDITY, Outcome.FAIL, f"It expired on {assertion['expires']}.", Problem.EXPIRED)
    if end is None and assertion.get("expires") is not None:
        sentence = "When it expires cannot be read."
        return new_check(CheckCode.VALIDITY, Outcome.UNKNOWN, sentence, Problem.MEMBER_INVALID)
    return new_check(CheckCode.VALIDITY, Outcome.PASS, "The date is within its validity period.", None)


def check_assertion_recipient(assertion: JsonObject, expected: str | None) -> Check:
    """Return the check ``recipient``."""
    if expected is None:
        return recipient_skipped()
    recipient = object_of(assertion.get("recipient"))
    return recipient_verdict(
        any(
            identity_matches(
                text_of(recipient.get("identity")) or "",
                expected,
                kind=kind,
                hashed=recipient.get("hashed") is not False,
                salt=text_of(recipient.get("salt")) or "",
            )
            for kind in types_of(recipient)
        ),
        by_email=is_by_email_alone(types_of(recipient), expected),
    )


def revoked_check(reason: str | None) -> Check:
    """Return the failed check ``status`` of an assertion that its issuer has revoked."""
    return new_check(CheckCode.STATUS, Outcome.FAIL, "The issuer has revoked it.", Problem.REVOKED, reason)


def misplaced_address(
    issuer: JsonObject, addresses: Sequence[str], *, on_default_host: Sequence[str] = ()
) -> str | None:
    """Return the first of the addresses that is not where the issuer's assertions are; None if all are there.

    Args:
        issuer: its ``verification`` says where they are; by default on the issuer's own host.
        on_default_host: further addresses, which are checked only if the default applies.
    """
    rules = object_of(issuer.get("verification"))
    prefixes = [prefix for prefix in as_list(rules.get("startsWith")) if isinstance(prefix, str) and prefix]
    hosts = {_as_host(host) for host in as_list(rules.get("allowedOrigins")) if isinstance(host, str)}
    if not hosts and not prefixes:
        hosts = {host_of(text_of(issuer.get("id")) or "")}
        addresses = [*addresses, *on_default_host]
    for address in addresses:
        has_prefix = any(_has_prefix(address, prefix) for prefix in prefixes) if prefixes else True
        if not has_prefix or (hosts and host_of(address) not in hosts - {""}):
            return address
    return None


def _as_host(origin: str) -> str:
    return host_of(origin) if "://" in origin else host_of(f"https://{origin}")


def _has_prefix(address: str, prefix: str) -> bool:
    # A host that has moved from http to https is the same host.
    https_prefix = prefix.replace("http://", "https://", 1) if prefix.startswith("http://") else prefix
    return is_within(address, prefix) or is_within(address, https_prefix)


def shown_assertion(badge: Badge, *, format_name: str) -> Shown:
    """Return the summary for people."""
    assertion, recipient = badge.assertion, object_of(badge.assertion.get("recipient"))
    hashed = recipient.get("hashed") is not False
    kind = text_of(recipient.get("type")) or "identity"
    embedded = object_of(assertion.get("badge"))
    criteria = badge.badge_class.get("criteria") or embedded.get("criteria")
    comment = object_of(assertion.get("claim")).get("endorsementComment")
    issuer = badge.badge_class.get("issuer") or embedded.get("issuer") or assertion.get("issuer")
    return Shown(
        kind=Kind.ENDORSEMENT_2 if is_endorsement_2(assertion) else Kind.BADGE_2,
        format=format_name,
        credential_id=text_of(assertion.get("id")),
        name=first_text(badge.badge_class.get("name")) or first_text(embedded.get("name")),
        description=first_text(badge.badge_class.get("description")) or first_text(embedded.get("description")),
        criteria=first_text(object_of(criteria).get("narrative")),
        criteria_id=id_of(criteria),
        narrative=first_text(assertion.get("narrative")) or first_text(comment),
        issuer_id=id_of(issuer),
        issuer_name=first_text(badge.issuer.get("name")) or first_text(object_of(issuer).get("name")),
        recipient=(hashed_recipient(kind) if hashed else text_of(recipient.get("identity"))) if recipient else None,
        valid_from=text_of(assertion.get("issuedOn")),
        valid_until=text_of(assertion.get("expires")),
    )
