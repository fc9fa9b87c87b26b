"""The page of a credential: what was earned, by whom, when, and whether it is valid now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from lapel.credentials.date_time import parse_timestamp
from lapel.domain.addresses import Addresses
from lapel.domain.clock import format_timestamp
from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.domain.json import JsonObject
from lapel.domain.json_members import as_list, object_of, objects
from lapel.services.verifying.data_model.structure import is_endorsement
from lapel.web import parts
from lapel.web.links import web_link
from lapel.web.pages import day_of, moment_of, render
from lapel.web.parts import as_text

__all__ = ["Validity", "render_credential_page", "validity_of"]

_MAX_NAME_LENGTH = 200
_IDENTITIES = {"emailAddress": "e-mail address", "ext:phone": "telephone number"}
"""How people call an identity of this type (OB 3.0, IdentifierTypeEnum). All others are identifiers to them."""


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether a credential is valid now, in words.

    Attributes:
        tone: ``good``, ``bad`` or ``wait``; decides the colour.
        reason: the issuer's reason for revoking or suspending it.
    """

    tone: str
    word: str
    sentence: str
    reason: str | None = None


def validity_of(credential: Credential, *, now: datetime, is_believed: bool = True) -> Validity:
    """Return the credential's validity at `now`.

    Args:
        is_believed: its signing key was not compromised when it was signed.
    """
    reason = credential.status_reason
    if credential.status is CredentialStatus.REVOKED:
        since = f" on {format_timestamp(credential.status_changed_at)}" if credential.status_changed_at else ""
        then = " and issued another in its place" if credential.replaced_by_id else ""
        return Validity("bad", "Revoked", f"The issuer revoked this credential{since}{then}.", reason)
    if not is_believed:
        return Validity("bad", "Not valid", "Others knew the key with which it is signed: anybody may have made it.")
    if credential.status is CredentialStatus.SUSPENDED:
        return Validity("wait", "Suspended", "The issuer has suspended this credential for now.", reason)
    if credential.valid_until is not None and now >= credential.valid_until:
        return Validity("bad", "Expired", f"This credential expired on {format_timestamp(credential.valid_until)}.")
    if now < credential.valid_from:
        return Validity(
            "wait", "Not yet valid", f"This credential is not valid before {format_timestamp(credential.valid_from)}."
        )
    return Validity("good", "Valid", "The issuer has not revoked this credential, and it has not expired.")


def render_credential_page(
    credential: Credential,
    document: JsonObject,
    *,
    addresses: Addresses,
    now: datetime,
    is_believed: bool = True,
    issuer_name: str = "the issuer",
    image_type: str | None = None,
    has_version_2: bool = False,
) -> bytes:
    """Render the page.

    Args:
        document: the credential's content as JSON, whichever way it is secured.
        is_believed: its signing key was not compromised when it was signed.
        issuer_name: its issuer's current name, shown if the document has none or was not written by this server.
        image_type: the media type of its image, if it has one.
        has_version_2: it is currently available as Open Badges 2.0.
    """
    # In a document that a client wrote, the issuer's name may be anything that a holder of a key put there.
    is_written_here = credential.achievement_id is not None
    is_other = not is_written_here and not is_endorsement(document)
    subject = _subject(document)
    achievement = object_of(subject.get("achievement"))
    named_issuer = document.get("issuer")
    issuer = {"id": named_issuer} if isinstance(named_issuer, str) else object_of(named_issuer)
    title = as_text(achievement.get("name")) or as_text(document.get("name")) or "Credential"
    validity = validity_of(credential, now=now, is_believed=is_believed)
    awarded = parse_timestamp(document.get("awardedDate")) or credential.valid_from
    begins = credential.valid_from if now < credential.valid_from else None
    url = addresses.credential(credential.id)
    replaced_by = addresses.credential(credential.replaced_by_id) if credential.replaced_by_id else None
    return render(
        "credential.html",
        title=title,
        description=as_text(achievement.get("description")) or as_text(document.get("description")),
        validity=validity,
        # The reason of a replaced credential ends with the new one's address; the page has a link instead.
        reason=(validity.reason or "").removesuffix(f"Replaced by {replaced_by}").rstrip(),
        url=url,
        share=_share_link(credential, title, issuer_name, url=url)
        if is_written_here and validity.tone == "good"
        else None,
        image_url=addresses.credential_image(credential.id),
        image_type=image_type,
        verify_url=f"{addresses.base}/v3/verify",
        # Relative to the page's own address, so that the page works behind any path prefix.
        check=f"../../verify?{urlencode({'url': url})}",
        image=f"{credential.id}/image" if credential.achievement_id is not None else None,
        downloads=list(_downloads(credential, image_type=image_type, has_version_2=has_version_2)),
        is_other=is_other,
        recipient=_recipient(subject),
        subject_link=None if is_written_here else web_link(subject.get("id")),
        hashed=_hashed(subject),
        issuer_name=(as_text(issuer.get("name")) if is_written_here else None) or issuer_name,
        issuer_link=addresses.issuer(credential.issuer_id) if is_written_here else web_link(issuer.get("id")),
        achievement_link=_achievement_link(credential, addresses),
        narrative=as_text(subject.get("narrative")) or as_text(subject.get("endorsementComment")),
        evidence=[parts.evidence(item) for item in objects(document.get("evidence"))],
        facts=[*parts.facts(subject)],
        types=_types(document) if is_other else [],
        results=[parts.result(item, achievement) for item in objects(subject.get("result"))],
        # Lapel verifies the endorsements that it embeds; those in a client's document have not been verified.
        endorsements=[*parts.endorsements((document, achievement, issuer))] if is_written_here else [],
        awarded=day_of(awarded) if begins is None or begins.date() != awarded.date() else None,
        begins=moment_of(begins) if begins else None,
        replaced_by=replaced_by,
        replaces=addresses.credential(credential.replaces_id) if credential.replaces_id else None,
        expires=moment_of(credential.valid_until) if credential.valid_until else None,
        **_achievement_values(achievement),
    )


def _achievement_values(achievement: JsonObject) -> dict[str, object]:
    criteria = object_of(achievement.get("criteria"))
    return {
        "language": as_text(achievement.get("inLanguage")),
        "kind": as_text(achievement.get("achievementType")),
        "criteria_text": as_text(criteria.get("narrative")),
        "criteria_link": web_link(criteria.get("id")),
        "alignments": [parts.alignment(item) for item in objects(achievement.get("alignment"))],
        "tags": [tag for tag in as_list(achievement.get("tag")) if isinstance(tag, str)],
    }


def _downloads(credential: Credential, *, image_type: str | None, has_version_2: bool) -> Iterator[dict[str, str]]:
    """Yield every format in which the credential can be downloaded, the signed one first.

    `alternate` is the media type if the download is another representation of this page, and empty otherwise.
    """
    own = str(credential.id)
    if credential.format is CredentialFormat.EDDSA_RDFC_2022:
        label, form, alternate = "Signed credential (JSON)", "json", "application/json"
    else:
        label, form, alternate = "Signed credential (JWT)", "jwt", "text/plain"
    yield {"label": label, "url": f"{own}?format={form}", "file": f"badge-{own}.{form}", "alternate": alternate}
    if image_type is not None:
        suffix = "svg" if image_type == "image/svg+xml" else "png"
        name = f"badge-{own}.{suffix}"
        label = f"Badge image ({suffix.upper()})"
        yield {"label": label, "url": f"{own}/image", "file": name, "alternate": ""}
    if has_version_2:
        url = f"../../v2/assertions/{own}?format=json"
        name = f"badge-{own}-2.0.json"
        yield {"label": "Open Badges 2.0 (JSON)", "url": url, "file": name, "alternate": "application/json"}


def _share_link(credential: Credential, title: str, issuer_name: str, *, url: str) -> str:
    """Return the link that adds the credential to a LinkedIn profile. The page loads nothing from there."""
    begins, ends = credential.valid_from, credential.valid_until
    fields = {
        "startTask": "CERTIFICATION_NAME",
        "name": title[:_MAX_NAME_LENGTH],
        "organizationName": issuer_name[:_MAX_NAME_LENGTH],
    }
    fields |= {"issueYear": str(begins.year), "issueMonth": str(begins.month)}
    if ends is not None:
        fields |= {"expirationYear": str(ends.year), "expirationMonth": str(ends.month)}
    fields |= {"certId": str(credential.id), "certUrl": url}
    return f"https://www.linkedin.com/profile/add?{urlencode(fields)}"


def _achievement_link(credential: Credential, addresses: Addresses) -> str | None:
    """Return the address of the achievement's version that was awarded: a newer one may have other criteria."""
    if credential.achievement_id is None:
        return None
    return f"{addresses.achievement(credential.achievement_id)}?version={credential.achievement_version}"


def _types(document: JsonObject) -> Sequence[str]:
    """Return its types other than ``VerifiableCredential``."""
    names = [name for name in as_list(document.get("type")) if isinstance(name, str)]
    return [name for name in names if name != "VerifiableCredential"]


def _subject(document: JsonObject) -> JsonObject:
    """Return the credential's subject; of several, which only other kinds of credentials have, the first with an id."""
    subjects = objects(document.get("credentialSubject"))
    return next((each for each in subjects if as_text(each.get("id"))), subjects[0] if subjects else {})


def _recipient(subject: JsonObject) -> str | None:
    """Return the recipient's name or other identity, as far as the credential shows one."""
    names = [as_text(subject.get("name"))]
    identifiers = objects(subject.get("identifier"))
    names += [
        as_text(item.get("identityHash"))
        for item in sorted(identifiers, key=lambda item: item.get("identityType") != "name")
        if item.get("hashed") is False
    ]
    names.append(as_text(subject.get("id")))
    return next((name for name in names if name), None)


def _hashed(subject: JsonObject) -> str | None:
    """Return what the credential contains only as a hash, in words."""
    identifiers = objects(subject.get("identifier"))
    kinds = [as_text(item.get("identityType")) or "" for item in identifiers if item.get("hashed") is True]
    return " and ".join(dict.fromkeys(_IDENTITIES.get(kind, "identifier") for kind in kinds)) or None
