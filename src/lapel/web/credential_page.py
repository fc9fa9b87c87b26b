"""A credential for people: what, who, when, and whether it holds now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from lapel.credentials.date_time import parse_timestamp
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential, CredentialFormat, CredentialStatus
from lapel.domain.json import JsonObject
from lapel.services.verifying.data_model.structure import is_endorsement
from lapel.web import parts
from lapel.web.links import web_link
from lapel.web.members import as_list, as_object, as_text
from lapel.web.pages import day_of, render

__all__ = ["Standing", "render_credential_page", "standing_of"]

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a credential holds now.

    Attributes:
        tone: ``good``, ``bad`` or ``wait``: how the page colours it.
        reason: the issuer's own words.
    """

    tone: str
    word: str
    sentence: str
    reason: str | None = None


def standing_of(credential: Credential, *, now: datetime, is_believed: bool = True) -> Standing:
    """The credential's standing at `now`, in words.

    Args:
        is_believed: nobody else knew the key with which it was signed.
    """
    reason = credential.status_reason
    if credential.status is CredentialStatus.REVOKED:
        since = f" on {day_of(credential.status_changed_at)}" if credential.status_changed_at else ""
        then = " and issued another in its place" if credential.replaced_by_id else ""
        return Standing("bad", "Revoked", f"The issuer revoked this credential{since}{then}.", reason)
    if not is_believed:
        return Standing("bad", "Not valid", "Others knew the key with which it is signed: anybody may have made it.")
    if credential.status is CredentialStatus.SUSPENDED:
        return Standing("wait", "Suspended", "The issuer has suspended this credential for now.", reason)
    if credential.valid_until is not None and now >= credential.valid_until:
        return Standing("bad", "Expired", f"This credential expired on {day_of(credential.valid_until)}.")
    if now < credential.valid_from:
        return Standing("wait", "Not yet valid", f"This credential is valid from {day_of(credential.valid_from)} on.")
    return Standing("good", "Valid", "The issuer has not revoked this credential, and it has not expired.")


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
    """The page.

    Args:
        document: the credential's content as JSON, whichever way it is secured.
        is_believed: nobody else knew the key with which it was signed.
        issuer_name: what its issuer is called now: where the document does not say, or was not written here.
        image_type: the media type of its image, if it has one.
        has_version_2: it can be had as Open Badges 2.0 now.
    """
    # What an issuer is called in another credential may be the word of whoever had a key to issue it.
    is_written_here = credential.achievement_id is not None
    is_other = not is_written_here and not is_endorsement(document)
    subject = _subject(document)
    achievement = as_object(subject.get("achievement"))
    named = document.get("issuer")
    issuer = {"id": named} if isinstance(named, str) else as_object(named)
    criteria = as_object(achievement.get("criteria"))
    own = str(credential.id)
    title = as_text(achievement.get("name")) or as_text(document.get("name")) or "Credential"
    standing = standing_of(credential, now=now, is_believed=is_believed)
    replaced_by = addresses.credential(credential.replaced_by_id) if credential.replaced_by_id else None
    return render(
        "credential.html",
        title=title,
        description=as_text(achievement.get("description")) or as_text(document.get("description")),
        standing=standing,
        # Where another has taken its place the reason ends with its address, to which a link leads.
        reason=(standing.reason or "").removesuffix(f"Replaced by {replaced_by}").rstrip(),
        language=as_text(achievement.get("inLanguage")),
        url=addresses.credential(credential.id),
        share=_share_link(credential, title, issuer_name, address=addresses.credential(credential.id))
        if is_written_here and standing.tone == "good"
        else None,
        image_url=addresses.credential_image(credential.id),
        image_type=image_type,
        verify_url=f"{addresses.base}/v3/verify",
        # Relative to the page's own address, so that the page works behind any path prefix.
        check=f"../../verify?{urlencode({'url': addresses.credential(credential.id)})}",
        image=f"{own}/image" if credential.achievement_id is not None else None,
        downloads=list(_downloads(credential, image_type=image_type, has_version_2=has_version_2)),
        is_other=is_other,
        recipient=_recipient(subject) or ("Not named" if is_other else "A person who is not named"),
        subject_link=None if is_written_here else web_link(subject.get("id")),
        hashed=_hashed(subject),
        issuer_name=(as_text(issuer.get("name")) if is_written_here else None) or issuer_name,
        issuer_link=addresses.issuer(credential.issuer_id) if is_written_here else web_link(issuer.get("id")),
        achievement_link=_achievement_link(credential, addresses),
        criteria_text=as_text(criteria.get("narrative")),
        criteria_link=web_link(criteria.get("id")),
        narrative=as_text(subject.get("narrative")) or as_text(subject.get("endorsementComment")),
        evidence=[parts.evidence(as_object(item)) for item in as_list(document.get("evidence"))],
        facts=[*parts.facts(subject)],
        types=_types(document) if is_other else [],
        results=[parts.result(as_object(item), achievement) for item in as_list(subject.get("result"))],
        alignments=[parts.alignment(as_object(item)) for item in as_list(achievement.get("alignment"))],
        # Those that Lapel has embedded were verified; of what else was signed here nobody has looked at them.
        endorsements=[*parts.endorsements((document, achievement, issuer))] if is_written_here else [],
        tags=[tag for tag in as_list(achievement.get("tag")) if isinstance(tag, str)],
        kind=as_text(achievement.get("achievementType")),
        awarded=day_of(_awarded(document) or credential.valid_from),
        begins=day_of(credential.valid_from) if now < credential.valid_from else None,
        replaced_by=replaced_by,
        replaces=addresses.credential(credential.replaces_id) if credential.replaces_id else None,
        expires=day_of(credential.valid_until) if credential.valid_until else None,
    )


def _downloads(credential: Credential, *, image_type: str | None, has_version_2: bool) -> Iterator[dict[str, str]]:
    """Every form in which it can be taken along; the signed one first.

    `alternate` is the media type of what is another form of the page.
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


def _share_link(credential: Credential, title: str, issuer_name: str, *, address: str) -> str:
    """Where its owner can put it into a profile at LinkedIn. It is a link only: nothing of it is loaded from there."""
    begins, ends = credential.valid_from, credential.valid_until
    fields = {
        "startTask": "CERTIFICATION_NAME",
        "name": title[:_LONGEST_NAME],
        "organizationName": issuer_name[:_LONGEST_NAME],
    }
    fields |= {"issueYear": str(begins.year), "issueMonth": str(begins.month)}
    if ends is not None:
        fields |= {"expirationYear": str(ends.year), "expirationMonth": str(ends.month)}
    fields |= {"certId": str(credential.id), "certUrl": address}
    return f"https://www.linkedin.com/profile/add?{urlencode(fields)}"


def _achievement_link(credential: Credential, addresses: Addresses) -> str | None:
    """Where what was earned is described, as it was then: its newest version may ask for something else."""
    if credential.achievement_id is None:
        return None
    return f"{addresses.achievement(credential.achievement_id)}?version={credential.achievement_version}"


def _awarded(document: JsonObject) -> datetime | None:
    """When it was awarded, where that is said beside when it is valid from."""
    return parse_timestamp(document.get("awardedDate"))


def _types(document: JsonObject) -> Sequence[str]:
    """What it says that it is, beside a credential."""
    names = [name for name in as_list(document.get("type")) if isinstance(name, str)]
    return [name for name in names if name != "VerifiableCredential"]


def _subject(document: JsonObject) -> JsonObject:
    """Whom it is about: of several, which only a credential of another kind has, the first that is named."""
    subjects = [as_object(item) for item in as_list(document.get("credentialSubject"))]
    return next((each for each in subjects if as_text(each.get("id"))), subjects[0] if subjects else {})


def _recipient(subject: JsonObject) -> str | None:
    """Who earned it, as far as the credential itself shows it."""
    names = [as_text(subject.get("name"))]
    identifiers = [as_object(item) for item in as_list(subject.get("identifier"))]
    names += [
        as_text(item.get("identityHash"))
        for item in sorted(identifiers, key=lambda item: item.get("identityType") != "name")
        if item.get("hashed") is False
    ]
    names.append(as_text(subject.get("id")))
    return next((name for name in names if name), None)


def _hashed(subject: JsonObject) -> str | None:
    """What of that which identifies the recipient is in it as a hash only, in words."""
    identifiers = [as_object(item) for item in as_list(subject.get("identifier"))]
    if not any(item.get("hashed") is True for item in identifiers):
        return None
    plain = [item for item in identifiers if item.get("hashed") is False and item.get("identityType") != "name"]
    return "Something else that identifies them" if plain or as_text(subject.get("id")) else "What identifies them"
