"""A typed client of a Lapel server: `Client` blocks, `AsyncClient` is awaited; both have the same operations.

    from lapel.client import Client, NewIssuer

    with Client("https://badges.example", key="lapel_…") as lapel:
        issuer = lapel.create_issuer(NewIssuer(name="Riverside School"))
        for credential in lapel.list_credentials():
            print(credential.id, credential.status)

What is sent are the server's own shapes (`lapel.services.requests`), what comes back too (`lapel.services.answers`).
docs/client.md shows more.
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
from lapel.openbadges.shapes import Criteria, Evidence
from lapel.services.requests import (
    AchievementChanges,
    ErasedIdentity,
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

__all__ = [
    "AchievementChanges",
    "AsyncClient",
    "AsyncPages",
    "Client",
    "Conflict",
    "Criteria",
    "Document",
    "ErasedIdentity",
    "Evidence",
    "Forbidden",
    "Gone",
    "Invalid",
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
    "NotFound",
    "OrganisationChanges",
    "Pages",
    "Picture",
    "PreconditionFailed",
    "RecipientInput",
    "Replacement",
    "RequestFailed",
    "RequestRefused",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
]
