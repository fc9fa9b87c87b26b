"""Open Badges 2.0: the same records as Issuer, BadgeClass, Assertion, Endorsement and RevocationList, hosted or signed.

An assertion is derived from the signed OB 3.0 credential, so that both say the same for ever; the recipient's hash and
salt are taken over as they are, for both versions hash alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.credential import CredentialStatus, Withdrawn
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import NotFound
from lapel.openbadges.achievement import achievement_image
from lapel.openbadges.contexts import OPEN_BADGES_V2
from lapel.openbadges.identity import RecipientType
from lapel.openbadges.kept_members import EXTENSIONS, IMAGE, image_object, kept_object

__all__ = [
    "NoVersion2Form",
    "assertion",
    "assertion_image",
    "badge_class",
    "cryptographic_key",
    "endorsement",
    "issuer_profile",
    "require_email",
    "revocation_list",
    "revoked_entries",
    "signed_form",
    "withdrawn_assertion",
]

_RECIPIENT_TYPES: Final = {RecipientType.EMAIL.value: "email", RecipientType.PHONE.value: "telephone"}
_ALIGNMENT_MEMBERS: Final = ("targetName", "targetUrl", "targetDescription", "targetFramework", "targetCode")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_FRACTION: Final = re.compile(r"\.[0-9]+")
_EVIDENCE_MEMBERS: Final = ("id", "narrative", "name", "description", "genre", "audience")


class NoVersion2Form(NotFound):
    """This has no Open Badges 2.0 form."""

    code = "no_ob2_form"


def issuer_profile(
    issuer: Issuer, addresses: Addresses, *, keys: Sequence[UUID] = (), endorsements: Sequence[str] = ()
) -> JsonObject:
    """OB 2.0 Profile of an issuer.

    Args:
        keys: those with which it signs assertions, or did.
        endorsements: where its hosted endorsements are.

    Raises:
        NoVersion2Form: it has no e-mail address, which OB 2.0 requires.
    """
    require_email(issuer)
    members: dict[str, JsonValue] = {
        "@context": OPEN_BADGES_V2,
        "type": "Issuer",
        "id": addresses.v2_issuer(issuer.id),
        "name": issuer.name,
        "url": issuer.url or addresses.issuer(issuer.id),
        "email": issuer.email,
        "telephone": issuer.phone,
        "description": issuer.description,
        "image": _image(addresses.image(issuer.image_id), issuer.profile) if issuer.image_id else None,
        "publicKey": [addresses.v2_key(issuer.id, key) for key in keys] or None,
        "verification": {"type": "VerificationObject", "startsWith": [addresses.v2_assertions]},
        "revocationList": addresses.v2_revocations(issuer.id),
        "endorsement": list(endorsements) or None,
        **kept_object(issuer.profile, EXTENSIONS),
    }
    return {name: value for name, value in members.items() if value is not None}


def require_email(issuer: Issuer) -> None:
    """Raise NoVersion2Form unless the issuer has an e-mail address."""
    if issuer.email is None:
        raise NoVersion2Form(
            "This issuer has no e-mail address, which Open Badges 2.0 requires.",
            hint="Give the issuer an email, or use the Open Badges 3.0 documents.",
        )


def badge_class(
    achievement: Achievement, issuer: Issuer, addresses: Addresses, *, endorsements: Sequence[str] = ()
) -> JsonObject:
    """OB 2.0 BadgeClass of an achievement.

    Args:
        endorsements: where its hosted endorsements are.

    Raises:
        NoVersion2Form: its issuer has none.
    """
    require_email(issuer)
    criteria: dict[str, JsonValue] = {"type": "Criteria"}
    if achievement.criteria_id is not None:
        criteria["id"] = achievement.criteria_id
    if achievement.criteria_narrative is not None:
        criteria["narrative"] = achievement.criteria_narrative
    members: dict[str, JsonValue] = {
        "@context": OPEN_BADGES_V2,
        "type": "BadgeClass",
        "id": addresses.v2_badge_class(achievement.id),
        "name": achievement.name,
        "description": achievement.description,
        "image": _image(achievement_image(achievement, addresses), achievement.details),
        "criteria": criteria,
        "issuer": addresses.v2_issuer(issuer.id),
    }
    if achievement.tags:
        members["tags"] = list(achievement.tags)
    aligned = [
        {"type": "AlignmentObject", **_only(item, _ALIGNMENT_MEMBERS)}
        for item in _objects(achievement.details.get("alignment"))
    ]
    if aligned:
        members["alignment"] = aligned
    related = [
        {
            "type": "BadgeClass",
            **_only(item, ("version",)),
            **_language(item),
            "id": _version_2(item.get("id"), addresses),
        }
        for item in _objects(achievement.details.get("related"))
    ]
    if related:
        members["related"] = related
    if "version" in achievement.details:
        members["version"] = achievement.details["version"]
    if endorsements:
        members["endorsement"] = list(endorsements)
    return {**members, **_language(achievement.details), **kept_object(achievement.details, EXTENSIONS)}


def assertion(
    credential_id: UUID,
    achievement_id: UUID,
    document: JsonObject,
    addresses: Addresses,
    *,
    postdated: bool = False,
    endorsements: Sequence[str] = (),
) -> JsonObject:
    """OB 2.0 hosted Assertion of a credential.

    Args:
        document: the content of the OB 3.0 credential.
        postdated: it was to hold only later than it was made, for which 2.0 has no word but ``issuedOn``.
        endorsements: where its hosted endorsements are.

    Raises:
        NoVersion2Form: its recipient is a DID, or nobody that OB 2.0 could name.
    """
    subject = document.get("credentialSubject")
    if not isinstance(subject, Mapping):
        raise NoVersion2Form
    members: dict[str, JsonValue] = {
        "@context": OPEN_BADGES_V2,
        "type": "Assertion",
        "id": addresses.v2_assertion(credential_id),
        "recipient": _recipient(subject),
        "badge": addresses.v2_badge_class(achievement_id),
        "image": assertion_image(credential_id, addresses),
        "issuedOn": _issued_on(document, postdated=postdated),
        "expires": _whole_seconds(document.get("validUntil")),
        "narrative": subject.get("narrative"),
        "verification": {"type": "HostedBadge"},
    }
    evidence = [{"type": "Evidence", **_only(item, _EVIDENCE_MEMBERS)} for item in _objects(document.get("evidence"))]
    if evidence:
        members["evidence"] = evidence
    if endorsements:
        members["endorsement"] = list(endorsements)
    return {name: value for name, value in members.items() if value is not None}


def endorsement(
    credential_id: UUID, issuer: Issuer, document: JsonObject, addresses: Addresses, *, postdated: bool = False
) -> JsonObject:
    """OB 2.0 hosted Endorsement of an EndorsementCredential.

    Args:
        document: the content of the OB 3.0 credential.
        postdated: as in `assertion`.

    Raises:
        NoVersion2Form: its issuer has none, or it is a credential of another kind.
    """
    require_email(issuer)
    types = document.get("type")
    if not isinstance(types, Sequence) or "EndorsementCredential" not in types:
        raise NoVersion2Form("This credential is neither a badge nor an endorsement, and has no Open Badges 2.0 form.")
    subject = document.get("credentialSubject")
    if not isinstance(subject, Mapping):
        raise NoVersion2Form
    claim = {"id": _version_2(subject.get("id"), addresses), **_only(subject, ("endorsementComment",))}
    members: dict[str, JsonValue] = {
        "@context": OPEN_BADGES_V2,
        "type": "Endorsement",
        "id": addresses.v2_assertion(credential_id),
        "issuer": addresses.v2_issuer(issuer.id),
        "claim": claim,
        "issuedOn": _issued_on(document, postdated=postdated),
        "expires": _whole_seconds(document.get("validUntil")),
        "verification": {"type": "HostedBadge"},
    }
    return {name: value for name, value in members.items() if value is not None}


def signed_form(hosted: JsonObject, *, creator: str) -> JsonObject:
    """The assertion or endorsement as it is signed: the hosted one, but for how it is verified.

    Args:
        creator: the id of the CryptographicKey.
    """
    return {**hosted, "verification": {"type": "SignedBadge", "creator": creator}}


def cryptographic_key(issuer: Issuer, key_id: UUID, pem: str, addresses: Addresses) -> JsonObject:
    """OB 2.0 CryptographicKey.

    Args:
        pem: the public key, as SubjectPublicKeyInfo in PEM.
    """
    return {
        "@context": OPEN_BADGES_V2,
        "type": "CryptographicKey",
        "id": addresses.v2_key(issuer.id, key_id),
        "owner": addresses.v2_issuer(issuer.id),
        "publicKeyPem": pem,
    }


def assertion_image(credential_id: UUID, addresses: Addresses) -> str:
    """Where the image with the hosted assertion in it is."""
    return f"{addresses.v2_assertion(credential_id)}/image"


def withdrawn_assertion(withdrawn: Withdrawn, addresses: Addresses) -> JsonObject:
    """What is answered, with status 410, in place of an assertion that is revoked, or suspended now."""
    members = _entry(withdrawn, addresses)
    document: dict[str, JsonValue] = {"@context": OPEN_BADGES_V2, "type": "Assertion", "id": members["id"]}
    return {**document, "revoked": True, **members}


def revoked_entries(withdrawn: Iterable[Withdrawn], addresses: Addresses) -> Sequence[JsonObject]:
    """The ``revokedAssertions`` of a RevocationList."""
    return [_entry(one, addresses) for one in withdrawn]


def revocation_list(issuer: Issuer, withdrawn: Iterable[Withdrawn], addresses: Addresses) -> JsonObject:
    """OB 2.0 RevocationList: what does not count now, the suspended too, which OB 2.0 cannot tell otherwise.

    Raises:
        NoVersion2Form: the issuer has none.
    """
    require_email(issuer)
    return {
        "@context": OPEN_BADGES_V2,
        "type": "RevocationList",
        "id": addresses.v2_revocations(issuer.id),
        "issuer": addresses.v2_issuer(issuer.id),
        "revokedAssertions": revoked_entries(withdrawn, addresses),
    }


def _entry(withdrawn: Withdrawn, addresses: Addresses) -> JsonObject:
    reason = withdrawn.reason
    if reason is None and withdrawn.status is CredentialStatus.SUSPENDED:
        reason = "Suspended for the time being."
    entry: JsonObject = {"id": addresses.v2_assertion(withdrawn.credential_id)}
    return entry if reason is None else {**entry, "revocationReason": reason}


def _recipient(subject: JsonObject) -> JsonObject:
    """OB 2.0 IdentityObject of a 3.0 subject."""
    for identifier in _objects(subject.get("identifier")):
        kind = _RECIPIENT_TYPES.get(str(identifier.get("identityType")))
        if kind is not None:
            found: dict[str, JsonValue] = {
                "type": kind,
                "hashed": identifier.get("hashed"),
                "identity": identifier.get("identityHash"),
            }
            if "salt" in identifier:
                found["salt"] = identifier["salt"]
            return found
    own = subject.get("id")
    if isinstance(own, str) and own.startswith(("https://", "http://")):
        return {"type": "url", "hashed": False, "identity": own}
    raise NoVersion2Form(
        "The recipient of this credential is a DID, which Open Badges 2.0 cannot name.",
        hint="Use the Open Badges 3.0 credential.",
    )


def _image(address: str, kept: JsonObject) -> JsonValue:
    """An image: its address, or with its caption an object."""
    return image_object(address, kept) if kept_object(kept, IMAGE) else address


def _version_2(iri: JsonValue, addresses: Addresses) -> JsonValue:
    """The 2.0 id of what `iri` names here; of anything else, `iri` itself."""
    if isinstance(iri, str):
        for collection, address in (
            ("/v3/achievements", addresses.v2_badge_class),
            ("/v3/issuers", addresses.v2_issuer),
            ("/v3/credentials", addresses.v2_assertion),
        ):
            own = addresses.own_id(iri, collection=collection)
            if own != iri and _UUID(own):
                return address(UUID(own))
    return iri


def _language(item: JsonObject) -> JsonObject:
    """In which language it is (OB 2.0, "Internationalization and Multilingual Badges")."""
    return {"@language": item["inLanguage"]} if "inLanguage" in item else {}


def _issued_on(document: JsonObject, *, postdated: bool) -> JsonValue:
    awarded = None if postdated else document.get("awardedDate")
    return _whole_seconds(document.get("validFrom") if awarded is None else awarded)


def _whole_seconds(timestamp: JsonValue) -> JsonValue:
    """The time without its fraction, which some readers of OB 2.0 drop, to then miss it in the hosted copy."""
    return _FRACTION.sub("", timestamp) if isinstance(timestamp, str) else timestamp


def _objects(value: JsonValue) -> list[JsonObject]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [item for item in value if isinstance(item, Mapping)]
    return []


def _only(item: JsonObject, names: Sequence[str]) -> JsonObject:
    return {name: item[name] for name in names if name in item}
