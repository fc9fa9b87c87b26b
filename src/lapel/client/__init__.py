"""A typed client of a Lapel server: `Client` is blocking, `AsyncClient` asynchronous; both have the same operations.

    from lapel.client import Client, NewIssuer

    with Client("https://badges.example", key="lapel_…") as lapel:
        issuer = lapel.create_issuer(NewIssuer(name="Riverside School"))
        for credential in lapel.list_credentials():
            print(credential.id, credential.status)

This package exports every type that an operation takes. Operations return the server's own types
(`lapel.services.answers`, `lapel.services.documents`). docs/client.md shows more.
"""

from __future__ import annotations

from lapel.client.clients import AsyncClient, Client
from lapel.client.documents import Document, Picture
from lapel.client.failures import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PreconditionFailed,
    RequestFailed,
    RequestRefused,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from lapel.client.pages import AsyncPages, Pages
from lapel.domain.access import Role, Scope
from lapel.domain.audit import Action
from lapel.domain.credential import CredentialFormat, CredentialStatus, JwtAlgorithm
from lapel.domain.issuer import IdentityMethod
from lapel.domain.signing_key import KeyAlgorithm, KeyState
from lapel.openbadges.shapes import (
    Address,
    Alignment,
    CredentialSchema,
    Criteria,
    Evidence,
    GeoCoordinates,
    IdentifierEntry,
    ImageReference,
    OwnImage,
    Profile,
    RefreshService,
    Related,
    Result,
    ResultDescription,
    RubricCriterionLevel,
    TermsOfUse,
)
from lapel.openbadges.v2_shapes import (
    AlignmentObject,
    Assertion,
    BadgeClass,
    IdentityObject,
    ImageObject,
    RelatedBadge,
    Version2Profile,
)
from lapel.services.answers import ProblemDocument
from lapel.services.requests import (
    AchievementChanges,
    ErasedIdentity,
    IdentityInput,
    IssuerChanges,
    NewAchievement,
    NewApiKey,
    NewCredential,
    NewEndorsement,
    NewIssuer,
    NewKeyState,
    NewOrganisation,
    NewSigningKey,
    NewStatus,
    NewStatuses,
    OrganisationChanges,
    RecipientInput,
    Replacement,
)
from lapel.services.vc_api.shapes import (
    CredentialToIssue,
    CredentialToVerify,
    IssueOptions,
    PresentationOptions,
    PresentationToVerify,
    StatusEntry,
    StatusToSet,
    UnsecuredOptions,
    UnsecuredPresentation,
    VerifyOptions,
)

__all__ = [
    "AchievementChanges",
    "Action",
    "Address",
    "Alignment",
    "AlignmentObject",
    "Assertion",
    "AsyncClient",
    "AsyncPages",
    "BadgeClass",
    "Client",
    "Conflict",
    "CredentialFormat",
    "CredentialSchema",
    "CredentialStatus",
    "CredentialToIssue",
    "CredentialToVerify",
    "Criteria",
    "Document",
    "ErasedIdentity",
    "Evidence",
    "Forbidden",
    "GeoCoordinates",
    "Gone",
    "IdentifierEntry",
    "IdentityInput",
    "IdentityMethod",
    "IdentityObject",
    "ImageObject",
    "ImageReference",
    "Invalid",
    "IssueOptions",
    "IssuerChanges",
    "JwtAlgorithm",
    "KeyAlgorithm",
    "KeyState",
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
    "NotFound",
    "OrganisationChanges",
    "OwnImage",
    "Pages",
    "Picture",
    "PreconditionFailed",
    "PresentationOptions",
    "PresentationToVerify",
    "ProblemDocument",
    "Profile",
    "RecipientInput",
    "RefreshService",
    "Related",
    "RelatedBadge",
    "Replacement",
    "RequestFailed",
    "RequestRefused",
    "Result",
    "ResultDescription",
    "Role",
    "RubricCriterionLevel",
    "Scope",
    "StatusEntry",
    "StatusToSet",
    "TermsOfUse",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "UnsecuredOptions",
    "UnsecuredPresentation",
    "VerifyOptions",
    "Version2Profile",
]
