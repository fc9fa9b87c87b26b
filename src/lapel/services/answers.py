"""The shapes of JSON answers, which the server writes and the client reads with msgspec.

The documents of the standards are in `lapel.services.documents`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Raw, Struct

from lapel.domain.access import Role, Scope
from lapel.domain.audit import Action
from lapel.domain.credential import CredentialFormat, CredentialStatus
from lapel.domain.issuer import IdentityMethod
from lapel.domain.signing_key import KeyAlgorithm, KeyState
from lapel.domain.verification import CheckCode, Kind, Outcome, Problem
from lapel.openbadges.shapes import Email, Moment, Uri

__all__ = [
    "AchievementItem",
    "AchievementPage",
    "ApiKeyItem",
    "ApiKeyPage",
    "AuditItem",
    "AuditPage",
    "AuditedCredential",
    "ChangedCredentials",
    "ChangedItem",
    "CreatedApiKeyItem",
    "CreatedOrganisation",
    "CredentialItem",
    "CredentialPage",
    "Erased",
    "FailedItem",
    "IssuedItem",
    "IssuedItems",
    "IssuedOrFailed",
    "IssuerItem",
    "IssuerPage",
    "Liveness",
    "NamedParty",
    "OrganisationItem",
    "OrganisationPage",
    "ProblemDocument",
    "ProblemEntry",
    "ReadinessReport",
    "SignedCredential",
    "SignerReport",
    "SigningKeyItem",
    "SigningKeyList",
    "VerificationCheck",
    "VerificationReport",
    "VerificationSubject",
]


def _or_failed(shape: str) -> Meta:
    return Meta(
        extra_json_schema={"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in (shape, "FailedItem")]}
    )


ChangedItem: TypeAlias = Annotated[Raw, _or_failed("CredentialItem")]
"""A CredentialItem or a FailedItem; a client tells which by looking for ``problem``."""

IssuedOrFailed: TypeAlias = Annotated[Raw, _or_failed("IssuedItem")]
"""An IssuedItem or a FailedItem, in the same way."""

SignedCredential: TypeAlias = Annotated[
    Raw, Meta(extra_json_schema={"anyOf": [{"$ref": "#/components/schemas/CredentialDocument"}, {"type": "string"}]})
]
"""A credential as it was signed: a JSON object or, in the format ``vc-jwt``, a compact JWS."""


class IssuerItem(Struct, rename="camel", omit_defaults=True):
    """An issuer in a list."""

    id: Uri
    name: str
    identity: IdentityMethod
    version: int
    created_at: Moment
    updated_at: Moment
    did: str | None = None
    url: Uri | None = None
    email: Email | None = None


class IssuerPage(Struct):
    """A page of issuers."""

    items: list[IssuerItem]
    next: Uri | None


class AchievementItem(Struct, rename="camel", omit_defaults=True):
    """An achievement in a list."""

    id: Uri
    issuer: Uri
    version: int
    name: str
    description: str
    image: Uri
    created_at: Moment
    updated_at: Moment
    achievement_type: str | None = None
    tag: tuple[str, ...] = ()
    suspendable: bool = False


class AchievementPage(Struct):
    """A page of achievements."""

    items: list[AchievementItem]
    next: Uri | None


class CredentialItem(Struct, rename="camel", omit_defaults=True):
    """A credential in a list. Its recipient is not shown: only a keyed hash of it is stored beside the signed bytes."""

    id: Uri
    issuer: Uri
    format: CredentialFormat
    status: CredentialStatus
    recipient_type: Annotated[str, Meta(extra_json_schema={"enum": ["email", "did", "url", "phone", "unnamed"]})]
    valid_from: Moment
    created_at: Moment
    achievement: Uri | None = None
    achievement_version: int | None = None
    valid_until: Moment | None = None
    status_reason: str | None = None
    status_changed_at: Moment | None = None
    replaces: Uri | None = None
    replaced_by: Uri | None = None
    erased_at: Moment | None = None


class CredentialPage(Struct):
    """A page of credentials."""

    items: list[CredentialItem]
    next: Uri | None


class SigningKeyItem(Struct, rename="camel", omit_defaults=True):
    """A signing key. ``id`` is the address of its public half, a JWK."""

    id: Uri
    algorithm: KeyAlgorithm
    state: KeyState
    created_at: Moment
    retired_at: Moment | None = None
    compromised_at: Moment | None = None


class SigningKeyList(Struct):
    """Every key that an issuer ever had, oldest first."""

    items: list[SigningKeyItem]


class ApiKeyItem(Struct, rename="camel", omit_defaults=True):
    """An API key, without the key itself."""

    id: Uri
    name: str
    role: Role
    scopes: list[Scope]
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None


class CreatedApiKeyItem(ApiKeyItem, kw_only=True):
    """A new API key. ``key`` is what its holder sends; nobody can show it again."""

    key: str


class ApiKeyPage(Struct):
    """A page of API keys."""

    items: list[ApiKeyItem]
    next: Uri | None


class OrganisationItem(Struct, rename="camel"):
    """An organisation: its issuers, achievements, credentials and API keys are its own."""

    id: Uri
    name: str
    created_at: Moment


class CreatedOrganisation(Struct, rename="camel"):
    """A new organisation, and its first key, an owner's."""

    id: Uri
    name: str
    created_at: Moment
    owner_key: CreatedApiKeyItem


class OrganisationPage(Struct):
    """A page of organisations."""

    items: list[OrganisationItem]
    next: Uri | None


class AuditedCredential(Struct, rename="camel", omit_defaults=True):
    """One of several credentials that were stored together, and the request that issued it."""

    entity: Uri
    request_id: str | None = None


class AuditItem(Struct, rename="camel", omit_defaults=True):
    """One recorded action.

    ``actor`` is ``api-key:UUID``, ``token:SUBJECT``, ``command-line`` or ``server``. ``before`` and ``after`` have the
    members that changed. Credentials that were issued at the same moment stand in one entry, each in ``issued``.
    """

    id: str
    at: Moment
    actor: str
    action: Action
    entity: Uri | None = None
    address: str | None = None
    request_id: str | None = None
    before: dict[str, object] | None = None
    after: dict[str, object] | None = None
    issued: list[AuditedCredential] | None = None


class AuditPage(Struct):
    """A page of the audit log."""

    items: list[AuditItem]
    next: Uri | None


class Erased(Struct):
    """The credentials that were erased: none if the identity is unknown."""

    erased: int
    credentials: list[Uri]


class NamedParty(Struct):
    """A person or organisation, as the document itself names it."""

    id: str | None
    name: str | None


class VerificationSubject(Struct, rename="camel"):
    """The document's own claims. They are to be trusted only if the report is valid."""

    id: str | None
    name: str | None
    description: str | None
    issuer: NamedParty
    recipient: str | None
    awarded_date: str | None
    valid_from: str | None
    valid_until: str | None


class VerificationCheck(Struct, omit_defaults=True):
    """One check of a verification."""

    code: CheckCode
    outcome: Outcome
    sentence: str
    problem: Problem | None = None
    detail: str | None = None


class VerificationReport(Struct):
    """The report of a verification; docs/verification.md explains every code.

    ``valid`` is null if that could not be decided; ``format`` is how the badge is secured.
    """

    valid: bool | None
    kind: Kind
    format: str | None
    credential: VerificationSubject
    checks: list[VerificationCheck]


class FailedItem(Struct):
    """An item of an itemised answer that could not be carried out, with the reason."""

    problem: ProblemDocument


class ChangedCredentials(Struct):
    """What became of each id, in order. ``failed`` is how many could not be changed."""

    items: list[ChangedItem]
    failed: int


class IssuedItem(Struct):
    """A credential of a batch and its address. A compact JWS is a JSON string."""

    id: Uri
    credential: SignedCredential


class IssuedItems(Struct):
    """What became of each item of a batch, in their order, and how many of them failed."""

    items: list[IssuedOrFailed]
    failed: int


class Liveness(Struct):
    """The process answers."""

    status: Literal["live"]


class SignerReport(Struct):
    """Whether the outside signer takes calls."""

    ok: bool


class ReadinessReport(Struct, omit_defaults=True):
    """Whether the server takes requests, and whether the database answers and how it is.

    ``signer`` is there where keys are held outside; without it everything else goes on, so that ``status`` does not
    depend on it.
    """

    status: Literal["ready", "unavailable", "ending"]
    database: dict[str, object] | None = None
    signer: SignerReport | None = None
    detail: str | None = None


class ProblemEntry(Struct):
    """One thing wrong with one member of the request's body; ``pointer`` is a JSON Pointer (RFC 6901)."""

    pointer: str
    detail: str
    code: str


class ProblemDocument(Struct, omit_defaults=True):
    """A problem document (RFC 9457, 3). ``code``, ``hint``, ``errors`` and ``request_id`` are extension members."""

    type: Uri
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    errors: list[ProblemEntry] = []
    request_id: str | None = None
