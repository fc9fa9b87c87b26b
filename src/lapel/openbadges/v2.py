"""Open Badges 2.0: builds Issuer, BadgeClass, Assertion, Endorsement and RevocationList documents, hosted or signed.

An assertion is derived from the signed OB 3.0 credential, so that both always agree. The recipient's hash and salt are
copied, because both versions hash alike.
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
from lapel.domain.json_members import object_of, objects, types_of
from lapel.errors import NotFound
from lapel.openbadges.achievement import achievement_image, criteria_of
from lapel.openbadges.contexts import OPEN_BADGES_V2
from lapel.openbadges.identity import RecipientType
from lapel.openbadges.stored_members import EXTENSIONS, IMAGE, image_object
from lapel.openbadges.syntax import normalised_phone

__all__ = [
    "NoVersion2Form",
    "assertion",
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
    issuer: Issuer, addresses: Addresses, *, keys: Sequence[UUID], endorsements: Sequence[str]
) -> JsonObject:
    """Return the OB 2.0 Profile of an issuer.

    Args:
        keys: the ids of its present and former keys for assertions.
        endorsements: the URLs of its hosted endorsements.

    Raises:
        NoVersion2Form: the issuer has no e-mail address, which OB 2.0 requires.
    """
    require_email(issuer)
    members: dict[str, JsonValue] = {
        "@context": OPEN_BADGES_V2,
        "type": "Issuer",
        "id": addresses.v2_issuer(issuer.id),
        "name": issuer.name,
        "url": issuer.url or addresses.issuer(issuer.id),
        "email": issuer.email,
        "telephone": None if issuer.phone is None else _telephone(issuer.phone),
        "description": issuer.description,
        "image": _image(addresses.image(issuer.image_id), issuer.profile) if issuer.image_id else None,
        "publicKey": [addresses.v2_key(issuer.id, key) for key in keys] or None,
        "verification": {"type": "VerificationObject", "startsWith": [addresses.v2_assertions]},
        "revocationList": addresses.v2_revocations(issuer.id),
        "endorsement": list(endorsements) or None,
        **object_of(issuer.profile.get(EXTENSIONS)),
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
    """Return the OB 2.0 BadgeClass of an achievement.

    Args:
        endorsements: the URLs of its hosted endorsements.

    Raises:
        NoVersion2Form: the issuer has no e-mail address.
    """
    require_email(issuer)
    members: dict[str, JsonValue] = {
        "@context": OPEN_BADGES_V2,
        "type": "BadgeClass",
        "id": addresses.v2_badge_class(achievement.id),
        "name": achievement.name,
        "description": achievement.description,
        "image": _image(achievement_image(achievement, addresses), achievement.details),
        "criteria": {"type": "Criteria", **criteria_of(achievement)},
        "issuer": addresses.v2_issuer(issuer.id),
    }
    if achievement.tags:
        members["tags"] = list(achievement.tags)
    alignments = [
        {"type": "AlignmentObject", **_pick(item, _ALIGNMENT_MEMBERS)}
        for item in objects(achievement.details.get("alignment"))
    ]
    if alignments:
        members["alignment"] = alignments
    related = [
        {
            "type": "BadgeClass",
            **_pick(item, ("version",)),
            **_language(item),
            "id": _v2_id(item.get("id"), addresses),
        }
        for item in objects(achievement.details.get("related"))
    ]
    if related:
        members["related"] = related
    if "version" in achievement.details:
        members["version"] = achievement.details["version"]
    if endorsements:
        members["endorsement"] = list(endorsements)
    return {**members, **_language(achievement.details), **object_of(achievement.details.get(EXTENSIONS))}


def assertion(
    credential_id: UUID,
    achievement_id: UUID,
    document: JsonObject,
    addresses: Addresses,
    *,
    postdated: bool = False,
    endorsements: Sequence[str] = (),
) -> JsonObject:
    """Return the OB 2.0 hosted Assertion of a credential.

    Args:
        document: the content of the OB 3.0 credential.
        postdated: whether the credential became valid only after it was issued. OB 2.0 has no ``validFrom``, so
            ``issuedOn`` is used for that.
        endorsements: the URLs of its hosted endorsements.

    Raises:
        NoVersion2Form: OB 2.0 cannot identify the recipient, such as a DID.
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
        "image": f"{addresses.v2_assertion(credential_id)}/image",
        "issuedOn": _issued_on(document, postdated=postdated),
        "expires": _whole_seconds(document.get("validUntil")),
        "narrative": subject.get("narrative"),
        "verification": {"type": "HostedBadge"},
    }
    evidence = [{"type": "Evidence", **_pick(item, _EVIDENCE_MEMBERS)} for item in objects(document.get("evidence"))]
    if evidence:
        members["evidence"] = evidence
    if endorsements:
        members["endorsement"] = list(endorsements)
    return {name: value for name, value in members.items() if value is not None}


def endorsement(
    credential_id: UUID, issuer: Issuer, document: JsonObject, addresses: Addresses, *, postdated: bool = False
) -> JsonObject:
    """Return the OB 2.0 hosted Endorsement of an EndorsementCredential.

    Args:
        document: the content of the OB 3.0 credential.
        postdated: as in `assertion`.

    Raises:
        NoVersion2Form: the issuer has no e-mail address, or the credential is no endorsement.
    """
    require_email(issuer)
    if "EndorsementCredential" not in types_of(document):
        raise NoVersion2Form("This credential is neither a badge nor an endorsement, and has no Open Badges 2.0 form.")
    subject = document.get("credentialSubject")
    if not isinstance(subject, Mapping):
        raise NoVersion2Form
    claim = {"id": _v2_id(subject.get("id"), addresses), **_pick(subject, ("endorsementComment",))}
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
    """Return the signed form of a hosted assertion or endorsement, which differs only in ``verification``.

    Args:
        creator: the id of the CryptographicKey.
    """
    return {**hosted, "verification": {"type": "SignedBadge", "creator": creator}}


def cryptographic_key(issuer: Issuer, key_id: UUID, pem: str, addresses: Addresses) -> JsonObject:
    """Return the OB 2.0 CryptographicKey.

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


def withdrawn_assertion(withdrawn: Withdrawn, addresses: Addresses) -> JsonObject:
    """Return the document that is served with status 410 in place of a revoked or suspended assertion."""
    members = _entry(withdrawn, addresses)
    document: dict[str, JsonValue] = {"@context": OPEN_BADGES_V2, "type": "Assertion", "id": members["id"]}
    return {**document, "revoked": True, **members}


def revoked_entries(withdrawn: Iterable[Withdrawn], addresses: Addresses) -> Sequence[JsonObject]:
    """Return the ``revokedAssertions`` of a RevocationList."""
    return [_entry(item, addresses) for item in withdrawn]


def revocation_list(issuer: Issuer, withdrawn: Iterable[Withdrawn], addresses: Addresses) -> JsonObject:
    """Return the OB 2.0 RevocationList. It includes suspended assertions, which OB 2.0 cannot express otherwise.

    Raises:
        NoVersion2Form: the issuer has no e-mail address.
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
    """Return the OB 2.0 IdentityObject of an OB 3.0 subject."""
    for identifier in objects(subject.get("identifier")):
        kind = _RECIPIENT_TYPES.get(str(identifier.get("identityType")))
        if kind is not None:
            recipient: dict[str, JsonValue] = {
                "type": kind,
                "hashed": identifier.get("hashed"),
                "identity": identifier.get("identityHash"),
            }
            if "salt" in identifier:
                recipient["salt"] = identifier["salt"]
            return recipient
    subject_id = subject.get("id")
    if isinstance(subject_id, str) and subject_id.startswith(("https://", "http://")):
        return {"type": "url", "hashed": False, "identity": subject_id}
    raise NoVersion2Form(
        "The recipient of this credential is a DID, which Open Badges 2.0 cannot name.",
        hint="Use the Open Badges 3.0 credential.",
    )


def _telephone(phone: str) -> str:
    """Return the number without punctuation (OB 2.0, Profile), and without ``(0)``, which is for calls inland."""
    return normalised_phone(phone.replace("(0)", "") if phone.startswith("+") else phone)


def _image(address: str, stored: JsonObject) -> JsonValue:
    """Return an image as its address, or as an object if it has a caption or an author (OB 2.0, Image)."""
    if not object_of(stored.get(IMAGE)):
        return address
    return {**image_object(address, stored), "type": "schema:ImageObject"}


def _v2_id(iri: JsonValue, addresses: Addresses) -> JsonValue:
    """Return the OB 2.0 id of an entity of this server, or else `iri` unchanged."""
    if isinstance(iri, str):
        for collection, address in (
            ("/v3/achievements", addresses.v2_badge_class),
            ("/v3/issuers", addresses.v2_issuer),
            ("/v3/credentials", addresses.v2_assertion),
        ):
            bare_id = addresses.own_id(iri, collection=collection)
            if bare_id != iri and _UUID(bare_id):
                return address(UUID(bare_id))
    return iri


def _language(item: JsonObject) -> JsonObject:
    """Return the ``@language`` member (OB 2.0, "Internationalization and Multilingual Badges")."""
    return {"@language": item["inLanguage"]} if "inLanguage" in item else {}


def _issued_on(document: JsonObject, *, postdated: bool) -> JsonValue:
    awarded = None if postdated else document.get("awardedDate")
    return _whole_seconds(document.get("validFrom") if awarded is None else awarded)


def _whole_seconds(timestamp: JsonValue) -> JsonValue:
    """Remove the fraction: some OB 2.0 verifiers drop it from one copy, and then find that the hosted one differs."""
    return _FRACTION.sub("", timestamp) if isinstance(timestamp, str) else timestamp


def _pick(item: JsonObject, names: Sequence[str]) -> JsonObject:
    return {name: item[name] for name in names if name in item}
