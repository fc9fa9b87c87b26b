"""The shapes of JSON request bodies, read by msgspec. The services check the rules, and report all problems at once.

In a ``New…``, a null member counts as absent. In a ``…Changes`` (JSON Merge Patch, RFC 7396), an absent member stays
as it is, null removes it, and an object is merged into the present one.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from lapel.domain.access import Role, Scope
from lapel.domain.credential import CredentialFormat, CredentialStatus, JwtAlgorithm
from lapel.domain.issuer import IdentityMethod
from lapel.domain.signing_key import KeyAlgorithm, KeyState
from lapel.openbadges.identity import RECIPIENT_TYPES
from lapel.openbadges.shapes import (
    Address,
    Alignment,
    CredentialSchema,
    Criteria,
    Email,
    Evidence,
    IdentifierEntry,
    ImageReference,
    Moment,
    OwnImage,
    Person,
    Profile,
    RefreshService,
    Related,
    Result,
    ResultDescription,
    TermsOfUse,
    Uri,
)

__all__ = [
    "AchievementChanges",
    "ArbitraryObject",
    "Awarded",
    "ErasedIdentity",
    "IdentityInput",
    "IssuerChanges",
    "NewAchievement",
    "NewApiKey",
    "NewCredential",
    "NewEndorsement",
    "NewIssuer",
    "NewKeyState",
    "NewOrganisation",
    "NewSigningKey",
    "NewStatus",
    "NewStatuses",
    "OrganisationChanges",
    "RecipientInput",
    "Replacement",
    "Request",
    "Signed",
    "VerificationByAddress",
]


ArbitraryObject: TypeAlias = dict[str, object]
"""A JSON object with any members, which its author may have signed."""


class Request(Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The base of every request: unknown members are refused."""


class NewIssuer(Person, kw_only=True):
    """``POST /v3/issuers``.

    ``image`` is an ``https`` URL (fetched once), a ``data:`` URL, or the address or id of an image that was uploaded
    here; PNG or SVG.
    ``official`` is the name of an authorised official of the organisation (OB 3.0, Profile).
    ``extensions`` are shown in the Open Badges 2.0 form, each under its name (``extensions:…``, or an IRI).
    """

    name: str
    identity: IdentityMethod = IdentityMethod.HTTPS
    url: Uri | None = None
    email: Email | None = None
    phone: str | None = None
    description: str | None = None
    image: str | OwnImage | None = None
    official: str | None = None
    address: Address | None = None
    other_identifier: list[IdentifierEntry] | None = None
    parent_org: Profile | None = None
    extensions: dict[str, ArbitraryObject] | None = None


class IssuerChanges(Request):
    """``PATCH /v3/issuers/{id}``. How an issuer is identified never changes.

    ``endorsement`` and ``endorsementJwt`` are EndorsementCredentials about this issuer, as their signers made them.
    """

    name: str | UnsetType = UNSET
    url: Uri | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    image: str | ArbitraryObject | UnsetType | None = UNSET
    official: str | UnsetType | None = UNSET
    address: ArbitraryObject | UnsetType | None = UNSET
    other_identifier: list[IdentifierEntry] | UnsetType | None = UNSET
    parent_org: ArbitraryObject | UnsetType | None = UNSET
    family_name: str | UnsetType | None = UNSET
    given_name: str | UnsetType | None = UNSET
    additional_name: str | UnsetType | None = UNSET
    patronymic_name: str | UnsetType | None = UNSET
    honorific_prefix: str | UnsetType | None = UNSET
    honorific_suffix: str | UnsetType | None = UNSET
    family_name_prefix: str | UnsetType | None = UNSET
    date_of_birth: date | UnsetType | None = UNSET
    extensions: ArbitraryObject | UnsetType | None = UNSET
    endorsement: list[ArbitraryObject] | UnsetType | None = UNSET
    endorsement_jwt: list[str] | UnsetType | None = UNSET


class NewAchievement(Request):
    """``POST /v3/achievements``.

    ``issuer`` is the issuer's UUID, URN or URL; it may be left out where there is only one.
    ``criteria`` holds ``id`` (a URL), ``narrative`` (Markdown), or both. Without an ``image`` Lapel draws one.
    ``creator`` is who made it, where that is not the issuer. ``extensions`` are as for an issuer.
    The credentials of an achievement that is ``suspendable`` can be suspended, and reinstated.
    """

    name: str
    description: str
    criteria: Criteria
    issuer: str | None = None
    achievement_type: str | None = None
    image: str | OwnImage | None = None
    tag: list[str] | None = None
    alignment: list[Alignment] | None = None
    result_description: list[ResultDescription] | None = None
    credits_available: float | None = None
    field_of_study: str | None = None
    human_code: str | None = None
    in_language: str | None = None
    other_identifier: list[IdentifierEntry] | None = None
    related: list[Related] | None = None
    specialization: str | None = None
    version: str | None = None
    creator: Profile | None = None
    extensions: dict[str, ArbitraryObject] | None = None
    suspendable: bool = False


class AchievementChanges(Request):
    """``PATCH /v3/achievements/{id}``: makes a new version. Credentials keep the version they were issued with.

    ``endorsement`` and ``endorsementJwt`` are EndorsementCredentials about it, as their signers made them.
    """

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    criteria: ArbitraryObject | UnsetType = UNSET
    achievement_type: str | UnsetType | None = UNSET
    image: str | ArbitraryObject | UnsetType | None = UNSET
    tag: list[str] | UnsetType | None = UNSET
    alignment: list[Alignment] | UnsetType | None = UNSET
    result_description: list[ResultDescription] | UnsetType | None = UNSET
    credits_available: float | UnsetType | None = UNSET
    field_of_study: str | UnsetType | None = UNSET
    human_code: str | UnsetType | None = UNSET
    in_language: str | UnsetType | None = UNSET
    other_identifier: list[IdentifierEntry] | UnsetType | None = UNSET
    related: list[Related] | UnsetType | None = UNSET
    specialization: str | UnsetType | None = UNSET
    version: str | UnsetType | None = UNSET
    creator: ArbitraryObject | UnsetType | None = UNSET
    extensions: ArbitraryObject | UnsetType | None = UNSET
    endorsement: list[ArbitraryObject] | UnsetType | None = UNSET
    endorsement_jwt: list[str] | UnsetType | None = UNSET
    suspendable: bool | UnsetType | None = UNSET


class IdentityInput(Request):
    """A further identity of a recipient: ``type`` is one of OB 3.0's identifier types, or ``ext:`` and a name."""

    type: str
    identity: str
    hashed: bool | None = None


class RecipientInput(Request):
    """The recipient.

    ``type`` is ``email``, ``did``, ``url`` or ``phone`` (``emailAddress`` and ``telephone`` mean the same).
    A ``url`` may be another IRI, such as ``urn:uuid:…``.
    The credential contains a salted hash of an e-mail address or phone number, unless ``hashed`` is false; a DID or URL
    is never hashed. If ``hashed`` is true, ``identity`` may itself be a hash, ``sha256$…``, of the identity and
    ``salt``; then no search finds it.
    ``name`` is shown in the credential, to everybody who has it. ``identifiers`` are further identities, each hashed
    unless its ``hashed`` is false.
    """

    type: Annotated[str, Meta(extra_json_schema={"enum": sorted(RECIPIENT_TYPES)})]
    identity: str
    hashed: bool | None = None
    salt: str | None = None
    name: str | None = None
    identifiers: list[IdentityInput] | None = None


class Signed(Request):
    """The optional members of every kind of credential. Times have an offset (RFC 3339)."""

    valid_from: Moment | None = None
    valid_until: Moment | None = None
    name: str | None = None
    description: str | None = None
    awarded_date: Moment | None = None
    refresh_service: RefreshService | None = None
    credential_schema: list[CredentialSchema] | None = None
    terms_of_use: list[TermsOfUse] | None = None
    format: CredentialFormat = CredentialFormat.EDDSA_RDFC_2022


class Awarded(Signed, kw_only=True):
    """The optional members of an award.

    ``image`` shows this recipient's achievement, ``displayImage`` the credential in a wallet; neither is fetched.
    ``source`` is the profile that assessed the recipient on the issuer's behalf.
    ``endorsement`` and ``endorsementJwt`` are EndorsementCredentials about the achievement, the issuer or the
    recipient, as their signers made them.
    ``jwtAlgorithm`` chooses how a ``vc-jwt`` is signed: by default RS256, or EdDSA if the issuer is a did:key.
    """

    recipient: RecipientInput
    evidence: list[Evidence] | None = None
    narrative: str | None = None
    results: list[Result] | None = None
    jwt_algorithm: JwtAlgorithm | None = None
    display_image: str | ImageReference | None = None
    endorsement: list[ArbitraryObject] | None = None
    endorsement_jwt: list[str] | None = None
    activity_start_date: Moment | None = None
    activity_end_date: Moment | None = None
    credits_earned: float | None = None
    image: str | ImageReference | None = None
    license_number: str | None = None
    role: str | None = None
    source: Profile | None = None
    term: str | None = None


class NewCredential(Awarded, kw_only=True):
    """``POST /v3/credentials``. ``achievement`` is the achievement's UUID, URN or URL."""

    achievement: str


class Replacement(Awarded, kw_only=True):
    """``POST /v3/credentials/{id}/replace``: the new credential, which takes over nothing but the achievement.

    ``achievement`` is by default the newest version of the old one's; another must be of the same issuer. ``reason`` is
    public, in the status of the old credential, beside the address of the new one.
    """

    achievement: str | None = None
    reason: str | None = None


class NewEndorsement(Signed, kw_only=True):
    """``POST /v3/endorsements``: an issuer endorses an achievement, a profile or a credential.

    ``endorsed`` is its id: an absolute IRI, here or elsewhere. ``issuer`` is the endorsing issuer's UUID, URN, URL or
    DID; it may be left out if there is only one.
    """

    endorsed: Uri
    comment: str | None = None
    issuer: str | None = None


class NewStatus(Request):
    """``POST /v3/credentials/{id}/status``. The reason is public.

    A credential whose achievement was ``suspendable`` when it was issued can be ``suspended``, and reinstated
    (``active``). One that is ``revoked`` stays so.
    """

    status: CredentialStatus
    reason: str | None = None


class ErasedIdentity(Request):
    """``POST /v3/recipients/erase``: the recipient to erase, by the identity that the credentials were issued to."""

    type: Annotated[str, Meta(extra_json_schema={"enum": sorted(RECIPIENT_TYPES)})]
    identity: str


class NewOrganisation(Request):
    """``POST /v3/organisations``: a tenant, with its own issuers and keys."""

    name: str


class OrganisationChanges(Request):
    """``PATCH /v3/organisations/{id}``."""

    name: str | UnsetType = UNSET


class NewStatuses(NewStatus, kw_only=True):
    """``POST /v3/credentials/status``: the same for up to 1,000 credentials, each a UUID, URN or URL."""

    ids: list[str]


class NewApiKey(Request):
    """``POST /v3/api-keys``. Without ``scopes`` the key has all those of its role."""

    name: str
    role: Role
    scopes: list[Scope] | None = None
    expires_at: Moment | None = None


class NewSigningKey(Request):
    """``POST /v3/issuers/{id}/keys``: a new key, which replaces the active one."""

    algorithm: KeyAlgorithm = KeyAlgorithm.ED25519


class NewKeyState(Request):
    """``POST /v3/issuers/{id}/keys/{key}/status``.

    ``since`` is the time from which a compromised key's signatures are not trusted; by default two seconds from now,
    when no process signs with it any more.
    """

    # What the description offers is what there is to ask for; every state can be read.
    state: Annotated[KeyState, Meta(extra_json_schema={"enum": [KeyState.RETIRED.value, KeyState.COMPROMISED.value]})]
    since: Moment | None = None


class VerificationByAddress(Request):
    """``POST /v3/verify`` of what is published at an address; `recipient` is the expected recipient's identity."""

    url: Uri
    recipient: str | None = None
