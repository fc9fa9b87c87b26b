"""The example data of ``lapel demo``: an issuer with achievements and credentials."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
import typer
from msgspec import convert

from lapel.bootstrap import Application
from lapel.cli.running import OPERATOR
from lapel.domain.credential import CredentialFormat, CredentialStatus
from lapel.errors import Conflict
from lapel.services.requests import NewAchievement, NewCredential, NewIssuer, RecipientInput

__all__ = ["DemoNotEmpty", "fill"]

_log = structlog.get_logger("lapel")

_ISSUER = {
    "name": "Riverside Makerspace",
    "url": "https://makerspace.example",
    "email": "badges@makerspace.example",
    "description": "A workshop by the river, open to everybody who wants to make things.",
}
_ACHIEVEMENTS = (
    {
        "name": "Laser Cutter Licence",
        "description": "May use the laser cutter without supervision.",
        "achievementType": "License",
        "criteria": {"narrative": "Attended the safety course and cut a first piece under supervision."},
        "tag": ["safety", "laser"],
    },
    {
        "name": "Soldering Basics",
        "description": "Solders through-hole components cleanly and safely.",
        "achievementType": "Badge",
        "criteria": {"narrative": "Built the blinking-light kit; every joint was inspected."},
        "tag": ["electronics"],
    },
    {
        "name": "Workshop Mentor",
        "description": "Has taught others for a season.",
        "achievementType": "Achievement",
        "criteria": {"narrative": "Led at least six open evenings and was asked to come back."},
        "tag": ["teaching"],
    },
)


@dataclass(frozen=True, slots=True)
class _Award:
    achievement: int
    name: str
    email: str
    format: CredentialFormat = CredentialFormat.EDDSA_RDFC_2022
    revoked: str | None = None


_AWARDS = (
    _Award(0, "Ada Brook", "ada@makerspace.example"),
    _Award(1, "Ben Fields", "ben@makerspace.example"),
    _Award(2, "Cleo Marsh", "cleo@makerspace.example", format=CredentialFormat.VC_JWT),
    _Award(0, "Dan Weir", "dan@makerspace.example", revoked="The course was not completed."),
)


class DemoNotEmpty(Conflict):
    """There are issuers here already; the demonstration is for an empty server."""

    code = "demo_not_empty"
    hint = (
        "Give it a database of its own: `export DB_TYPE=sqlite SQLITE_FILE=demo/lapel.sqlite LAPEL_PORT=8001`,"
        " then `lapel demo` and `lapel serve`."
    )


async def fill(application: Application) -> None:
    """Create the example data and print its addresses.

    Raises:
        DemoNotEmpty: there are issuers already.
        PublicUrlDiffers: LAPEL_PUBLIC_URL is not the one under which the server issues.
    """
    if (await application.services.issuers.page(OPERATOR, limit=1)).items:
        raise DemoNotEmpty
    async with await application.under_stored_public_url() as issuing:
        for warning in issuing.settings.warnings:
            _log.warning(warning)
        await _issue(issuing)


async def _issue(application: Application) -> None:
    services = application.services
    issuer = await services.issuers.create(OPERATOR, convert(_ISSUER, NewIssuer))
    typer.echo(f"Issuer       {services.addresses.issuer(issuer.id)}  {issuer.name}")
    achievements = []
    for members in _ACHIEVEMENTS:
        new_achievement = convert({**members, "issuer": str(issuer.id)}, NewAchievement)
        achievement = await services.achievements.create(OPERATOR, new_achievement)
        achievements.append(achievement)
        typer.echo(f"Achievement  {services.addresses.achievement(achievement.id)}  {achievement.name}")
    for award in _AWARDS:
        new_credential = NewCredential(
            achievement=str(achievements[award.achievement].id),
            recipient=RecipientInput(type="email", identity=award.email, name=award.name),
            format=award.format,
        )
        credential = await services.issuing.issue(OPERATOR, new_credential)
        status = ""
        if award.revoked:
            await services.statuses.change(OPERATOR, credential.id, CredentialStatus.REVOKED, award.revoked)
            status = ", revoked"
        address = services.addresses.credential(credential.id)
        typer.echo(f"Credential   {address}  {award.name} ({award.format.value}{status})")
    typer.echo("\nOpen a credential's address in a browser while `lapel serve` runs.")
